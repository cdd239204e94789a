// Where a video that was watched is worked on: player, timeline, sections and hits, form, takes.

import { Refused } from "./api.js";
import { $, complain, make } from "./dom.js";
import { mark, palette, HIT_KINDS, INSTRUMENTS } from "./drawing.js";
import { Edits, partsOf } from "./edits.js";
import { MusicForm } from "./form.js";
import { Inspector } from "./inspector.js";
import { Locks } from "./locks.js";
import { Making } from "./making.js";
import { Mixer } from "./mixer.js";
import { Passage } from "./passage.js";
import { Player } from "./player.js";
import { Takes } from "./takes.js";
import { Timeline } from "./timeline.js";
import { capital, clock, count, KINDS, list } from "./words.js";

export class Desk {
  /** @param {object} limits @param {object} app whose `ask(slot, does)` asks things of the server */
  constructor(limits, app) {
    this.limits = limits;
    this.app = app;
    this.player = new Player($("video"));
    this.timeline = new Timeline($("timeline"), $("pointed"));
    this.making = new Making(this);
    this.inspector = new Inspector(limits.instruments ?? INSTRUMENTS, {
      changed: () => this.edited(), lock: (index) => this.making.lock(index), again: (index) => this.making.section(index),
    });
    this.takes = new Takes({ hear: (id, play) => this.hear(id, play), use: (take) => this.use(take.settings), whole: (take) => this.making.whole(take) }, limits.files);
    this.mixer = new Mixer(this.player, (name, gain) => this.dim(name, gain));
    this.form = new MusicForm($("form"), limits, {
      changed: () => this.keepDraft(),
      tempo: () => this.retime(),
      theme: (file) => this.giveTheme(file),
      open: (text) => this.open(text),
    });
    this.passage = new Passage(this.timeline, {
      bars: () => this.bars, time: () => this.player.time, end: () => this.seen.duration,
      heard: () => this.heard !== null, again: (from, to) => this.making.again($("slot-takes"), this.heardTake, from - 1, to),
    });
    $("passage").hidden = !limits.again;
    $("sections-part").hidden = !limits.sections;
    this.timeline.editable = Boolean(limits.sections);
    this.forget();
    this.listen();
    this.tick();
  }

  forget() {
    this.player.choose(null);
    this.player.show(null);
    Object.assign(this, { session: null, locks: null, loading: null, seen: null, edits: null, heard: null, known: 0, fresh: null, drafted: false });
    this.making.reopened = null;
    this.timeline.seen = null;
    this.timeline.music = null;
    this.timeline.passage = null;
    for (const id of ["seen", "music", "listen"]) $(id).hidden = true;
  }

  listen() {
    const { player, timeline } = this;
    const on = (name, does) => timeline.addEventListener(name, (event) => does(event.detail));
    on("seek", (second) => {
      this.fresh = null; // who goes elsewhere is not taken to what is new
      this.seek(second);
    });
    on("border", ({ index, bar }) => { this.edits.move(index, bar); this.edited(); });
    on("section", (index) => { this.inspector.choose(index, true); this.edited(); });
    on("lock", (index) => this.making.lock(index));
    on("hit", (hit) => {
      if (this.isFree(hit.second)) this.edits.toggle(hit);
      this.edited();
    });
    on("newhit", (second) => this.addHit(second));
    $("play").addEventListener("click", () => this.toggle());
    $("mixer-play").addEventListener("click", () => this.toggle());
    $("video").addEventListener("click", () => this.toggle());
    player.addEventListener("state", () => this.showPlaying());
    player.addEventListener("loading", ({ detail }) => { $("loading").textContent = detail ? "Fetching the sound …" : ""; });
    $("zoom-in").addEventListener("click", () => timeline.zoomBy(2));
    $("zoom-out").addEventListener("click", () => timeline.zoomBy(0.5));
    $("zoom-all").addEventListener("click", () => timeline.zoomBy(1 / timeline.zoom));
    $("add-hit").addEventListener("click", () => this.addHit(player.time));
    $("as-seen").addEventListener("click", () => this.asSeen());
    $("mixer").addEventListener("toggle", () => player.mixed($("mixer").open).catch((error) => this.unheard(error)));
    document.addEventListener("keydown", (event) => this.keyed(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.seen && this.describe());
  }

  /** Show what the server says of the session. */
  show(state, session) {
    if (!state.timeline) return;
    const busy = Boolean(state.work);
    for (const id of ["make", "preview", "again", "revise", "rest"]) $(id).disabled = busy;
    this.inspector.setBusy(busy);
    if (this.session !== session) this.begin(state, session);
    if (this.seen) this.showTakes(state);
  }

  async begin(state, session) {
    this.session = session;
    this.locks = new Locks(session);
    this.state = state;
    let timeline;
    try {
      timeline = await session.timeline();
    } catch (error) {
      return this.app.refused(error);
    }
    if (this.session !== session) return;
    this.seen = timeline;
    this.edits = new Edits(timeline);
    this.player.show(session.url("video"), state.video.has_sound);
    for (const id of ["seen", "music"]) $(id).hidden = false;
    this.strip = timeline.thumbnails.url;
    this.timeline.zoom = 1;
    this.timeline.show(timeline, this.edits, this.strip);
    this.seek(0); // now: from here on somebody may go elsewhere
    this.form.suggest(timeline, state.video.has_sound);
    const draft = session.recall("draft");
    if (draft) this.form.fill(draft);
    const { preview_s: most = 15 } = this.limits;
    $("preview").textContent = `Quick preview (${timeline.duration > most ? `first ${most} s` : "sound only"})`;
    await this.retime();
    if (this.session !== session) return;
    if (draft) this.edits.restore(draft);
    this.mixer.draw(state.video.has_sound);
    this.describe();
    this.edited();
    this.drafted = true;
    this.known = state.takes.length;
    const seeds = state.takes.filter((take) => !take.preview).map((take) => take.settings?.seed ?? 0);
    this.form.nextSeed = Math.max(-1, ...seeds) + 1;
    this.showTakes(this.app.state ?? state, true);
    if (!state.takes.length) $("title-seen").scrollIntoView({ block: "start" });
  }

  showTakes(state, first = false) {
    const { takes } = state;
    $("listen").hidden = !takes.length;
    const more = takes.length > this.known;
    this.known = takes.length;
    this.state = state;
    if (takes.length && (more || first)) this.arrived(takes, more);
    else this.takes.show(this.session, takes, this.heard);
  }

  /** New takes are there: the first of them is heard. */
  arrived(takes, more) {
    const best = more ? takes[this.takesBefore ?? 0] ?? takes.at(-1) : takes.at(-1);
    this.takesBefore = takes.length;
    this.fresh = more ? best : null;
    this.hear(best.id);
    if (!more) return;
    this.seek(0);
    $("title-seen").scrollIntoView({ block: "start" });
    $("play").focus({ preventScroll: true });
  }

  describe() {
    const { duration, hits, scenes, tempo } = this.seen;
    const kinds = HIT_KINDS.map((kind) => [hits.filter((hit) => hit.kind === kind).length, kind]).filter(([n]) => n);
    const found = kinds.map(([n, kind]) => count(n, KINDS[kind][0], KINDS[kind][1]));
    $("told").textContent = `${clock(duration)} in ${count(scenes.length, "scene")}, with ${list(found) || "no hits"}.`
      + ` The music will have ${Math.round(tempo)} beats a minute.${this.problems()}`;
    const shown = kinds.map(([, kind]) => make("li", { title: KINDS[kind][2] }, make("canvas", { width: 32, height: 32, "data-kind": kind, "aria-hidden": "true" }), capital(KINDS[kind][0])));
    const notes = INSTRUMENTS.map((name) => make("li.of-music", {}, make(`span.dot.${name.toLowerCase()}`), name));
    $("legend").replaceChildren(...shown, ...notes);
    for (const canvas of $("legend").querySelectorAll("canvas")) {
      const context = canvas.getContext("2d");
      context.fillStyle = palette(canvas)[canvas.dataset.kind];
      mark(context, canvas.dataset.kind, 16, 16, 11);
      context.fill();
    }
  }

  /** What of the video could not be read, in words. */
  problems() {
    const { problems = [] } = this.seen;
    return problems.length ? ` Not all of it could be read: ${problems.join("; ")}.` : "";
  }

  /** The edits have changed: all that shows them is drawn again. */
  edited() {
    if (!this.edits) return;
    this.timeline.chosen = this.inspector.chosen;
    this.timeline.edits = this.edits;
    this.making.show();
    this.keepDraft();
    this.inspector.playhead = this.player.time;
    this.inspector.show(this.edits);
    this.timeline.draw();
  }

  /** Keep what is asked and not made, for a reload. */
  keepDraft() {
    if (this.drafted) this.session.keepAside("draft", { ...this.form.draft, ...this.edits.body });
  }

  /** Take all edits back; what is locked of them goes with them. */
  asSeen() {
    if (this.making.locked.length) this.making.unlock();
    this.edits.reset();
    this.inspector.choose(-1);
    this.edited();
  }

  /** Whether hits may be others at a second; if not, it is told why. */
  isFree(second) {
    const locked = this.edits.lockedAt(second) + 1;
    if (locked) $("pointed").textContent = `Section ${locked} is locked: unlock it to change its hits.`;
    return !locked;
  }

  addHit(second) {
    if (!this.isFree(second)) return;
    this.edits.add(second);
    this.edited();
    $("pointed").textContent = `A hit is added at ${clock(second, true)}.`;
  }

  /** Show the bars of the tempo the music will have; the sections begin at the bars that are nearest. */
  async retime() {
    const { session } = this;
    if (!session) return;
    try {
      const timeline = await session.timeline({ tempo: this.form.tempoAsked, mood: this.form.mood });
      if (this.session !== session) return;
      this.form.showTempo(timeline.tempo);
      this.seen = timeline;
      this.edits.regrid(timeline);
      this.timeline.show(timeline, this.edits, this.strip);
      this.describe();
      this.edited();
      this.form.clear();
    } catch (error) {
      this.app.refused(error);
    }
  }

  async giveTheme(file) {
    await this.app.ask($("slot-music"), async () => this.form.setTheme(await this.session.theme(file)));
  }

  async open(text) {
    await this.app.ask($("slot-music"), async () => this.use(await this.session.settings(text)));
  }

  /** Fill the page with settings that made a take. */
  async use(settings) {
    this.form.fill(settings);
    await this.retime();
    this.edits.restore(partsOf(settings));
    this.making.reopen(settings);
    this.edited();
    $("title-music").scrollIntoView({ block: "start" });
    $("make-note").textContent = settings.passages?.length ? "The settings are filled in, with what was made again in this take."
      : "The settings are filled in.";
  }

  // Listening

  get heardTake() {
    return this.heard === null ? null : this.take(this.heard);
  }

  take(id) {
    return this.state.takes.find((take) => take.id === id);
  }

  /** Hear a take (null: none), at the moment where the video is. */
  async hear(id, play = false) {
    this.heard = id;
    this.takes.show(this.session, this.state.takes, id);
    this.edited();
    const { session } = this;
    try {
      $("legend").classList.toggle("with-music", id !== null);
      if (id === null) {
        this.player.choose(null);
        return this.timeline.setMusic(null);
      }
      const { stems = [], name } = this.take(id);
      $("mixer").hidden = !stems.length;
      $("again").textContent = `Make this passage of ${name} again`;
      const urls = stems.map((part) => [part, session.file(id, "stems", `${part}.flac`)]);
      const duration = this.take(id).duration ?? this.seen.duration;
      const chosen = this.player.choose({
        key: `${session.token}/${id}`, mix: session.file(id, "mp3"), stems: Object.fromEntries(urls), duration,
      });
      const music = await session.take(id);
      if (this.heard !== id) return;
      this.timeline.setMusic(music);
      this.mixer.follow(this.take(id).settings ?? {}, music.ducking);
      this.passage.bound();
      this.showChanged(id, music);
      await chosen;
      if (play) {
        if (this.take(id).preview && this.player.time > duration) this.seek(0);
        $("title-seen").scrollIntoView({ block: "start" });
        await this.player.play();
      }
    } catch (error) {
      this.unheard(error);
    }
  }

  unheard(error) {
    $("loading").textContent = error instanceof Refused ? error.message : "This sound cannot be played here.";
  }

  /** Draw the notes of an instrument that is off as such. */
  dim(name, gain) {
    if (gain > 0) this.timeline.muted.delete(name);
    else this.timeline.muted.add(name);
    this.timeline.draw();
  }

  toggle() {
    if (this.player.playing) this.player.pause();
    else this.player.play().catch((error) => this.unheard(error));
  }

  seek(second) {
    this.player.seek(second);
    this.showTime(second);
  }

  showPlaying() {
    const { playing } = this.player;
    $("play").classList.toggle("on", playing);
    $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  showTime(second, follow = false) {
    $("clock").textContent = `${clock(second, true)} / ${clock(this.seen?.duration ?? 0)}`;
    $("add-hit-time").textContent = `at ${clock(second, true)}`;
    this.timeline.setPlayhead(second, follow);
  }

  /** Once a frame: the playhead follows the video. */
  tick() {
    if (this.player.playing) this.showTime(this.player.time, true);
    requestAnimationFrame(() => this.tick());
  }

  keyed(event) {
    if (!this.seen || event.ctrlKey || event.metaKey || event.altKey) return;
    const { tagName, type } = event.target;
    const typed = tagName === "SELECT" || tagName === "SUMMARY" || (tagName === "INPUT" && !["checkbox", "radio", "range"].includes(type));
    if (event.key === " " && (tagName === "BODY" || event.target === $("timeline"))) {
      event.preventDefault();
      this.toggle();
    }
    const take = this.state.takes[Number(event.key) - 1];
    if (!typed && /^[1-9]$/.test(event.key) && take) this.hear(take.id);
  }

  // Another take of a passage, or of what is changed

  get bars() {
    return this.timeline.music?.bars ?? this.edits.bars;
  }

  /** Of a take that has just been made from another, go to what is new in it. */
  showChanged(id, { bars }) {
    const { changed } = this.fresh?.id === id ? this.fresh : {};
    this.fresh = null;
    if (!changed?.length) return;
    this.seek(bars[changed[0]]);
    const whole = changed.at(-1) - changed[0] === changed.length - 1;
    this.timeline.setPassage(whole ? [bars[changed[0]], bars[changed.at(-1) + 1] ?? this.seen.duration] : null);
  }

  /** Show what is wrong where it is named; false where that is not here. */
  complain(field, message) {
    if (!field || !this.seen) return false;
    const [name, index, inner] = field.split(".");
    if (name === "sections" && index !== undefined && inner === "chords") {
      this.inspector.complain(Number(index), inner, message);
      this.edited();
      return true;
    }
    if (name === "sections" || name === "hits") {
      complain($(`error-${name}`), message);
      if (name === "hits") $("hits-fold").open = true;
      return true;
    }
    if (name === "from_bar" || name === "to_bar") {
      this.passage.complain(message, name.replace("_", "-"));
      return true;
    }
    return this.form.complain(name, message);
  }
}
