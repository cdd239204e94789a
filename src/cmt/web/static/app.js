// The page: one session's state, from the server, shown; and what the visitor does, asked of it.

import { Refused, Session, limits as askLimits } from "./api.js";
import { $, complain } from "./dom.js";
import { Desk } from "./desk.js";
import { note, WorkPanel } from "./work.js";
import { megabytes, span } from "./words.js";

const GONE = "The work of this link is no longer here: it is kept for an hour after its last use. Choose the video again, please.";
const AWAY = "The page’s server does not answer. It goes on by itself once it does.";

class App {
  constructor(limits) {
    this.limits = limits;
    this.session = null;
    this.state = null;
    this.upload = null;
    this.slot = null;
    this.panel = new WorkPanel(() => this.stop());
    this.desk = new Desk(limits, this);
    this.listen();
    $("rights").textContent = limits.rights ?? "";
    const bounds = [limits.max_minutes && `up to ${limits.max_minutes} minutes`,
      limits.max_upload_mb && megabytes(limits.max_upload_mb)].filter(Boolean);
    $("limits").textContent = `MP4, MOV, MKV, WebM, AVI and others${bounds.length ? `, ${bounds.join(" and ")}` : ""}.`
      + " It need not have a sound.";
  }

  listen() {
    const file = $("file");
    const chosen = () => {
      if (file.files[0]) this.choose(file.files[0]);
      file.value = "";
    };
    file.addEventListener("change", chosen);
    chosen(); // while the page was loading
    const drop = document.body;
    const over = (on) => $("drop").classList.toggle("over", on);
    drop.addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
    drop.addEventListener("dragleave", () => over(false));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      if (event.dataTransfer.files[0]) this.choose(event.dataTransfer.files[0]);
    });
    $("sample").addEventListener("click", () => this.begin((session) => session.sample()));
    $("go-on").addEventListener("click", () => this.ask($("slot-video"), () => this.session.analyse()));
    $("other").addEventListener("click", () => this.another());
    $("forget").addEventListener("click", () => this.forget());
    addEventListener("hashchange", () => this.resume());
  }

  /** Take up the work that the link names, if it does. */
  async resume() {
    const session = Session.kept();
    if (!session) return;
    try {
      const state = await session.state();
      this.enter(session);
      this.show(state);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.notice(error.status === 404 ? GONE : error.message);
      if (error.status === 404) history.replaceState(null, "", location.pathname);
    }
  }

  enter(session) {
    this.unfollow?.();
    this.session = session;
    session.keep();
    this.unfollow = session.follow((state) => this.show(state), (closed) => this.notice(closed ? GONE : AWAY));
  }

  notice(message) {
    complain($("notice"), message);
    $("notice").hidden = !message;
  }

  /** Begin with a video: in a new session, so that the link of the old one still finds its work. */
  async begin(send) {
    complain($("error-video"), "");
    try {
      const session = await Session.open();
      this.desk.forget();
      this.enter(session);
      this.slot = $("slot-video");
      await send(session);
    } catch (error) {
      this.refused(error);
    }
  }

  choose(file) {
    const most = this.limits.max_upload_mb;
    if (most && file.size > most * 1e6) {
      const has = megabytes(Math.ceil(file.size / 1e6));
      return complain($("error-video"), `${file.name} has ${has}; the most that is taken here is ${megabytes(most)}.`, $("file"));
    }
    return this.begin(async (session) => {
      const tell = (share) => this.show({ ...this.empty(), work: { doing: `Sending ${file.name}`, share, place: 0 } });
      tell(0);
      this.upload = session.upload(file, tell);
      try {
        await this.upload.done;
      } finally {
        this.upload = null;
      }
      const state = await session.state(); // what was told while it was sent has not been shown
      if (session === this.session && !(state.version < this.state?.version)) this.show(state);
    });
  }

  empty() {
    return { video: null, work: null, error: null, timeline: false, takes: [] };
  }

  /** Ask something of the server, shown at work in a place of the page; false where it was refused. */
  async ask(slot, does) {
    this.slot = slot;
    this.stopped = false;
    this.clear();
    note(slot, "");
    try {
      await does();
      slot.scrollIntoView({ block: "nearest" });
      return true;
    } catch (error) {
      this.refused(error);
      return false;
    }
  }

  async stop() {
    this.stopped = true;
    if (this.upload) return this.upload.stop();
    try {
      await this.session.stop();
    } catch (error) {
      this.refused(error);
    }
  }

  /** A state of the server's, or of an upload. */
  show(state) {
    if (this.upload && !state.work?.doing?.startsWith("Sending")) return;
    const before = this.state;
    this.state = state;
    this.notice("");
    this.showVideo(state);
    const slot = this.slot ?? (state.timeline ? $("slot-music") : $("slot-video"));
    this.panel.show(state.work, slot);
    // Where it is asked whether to go on, that says so.
    if (before?.work && !state.work) note(slot, this.stopped && $("ask").hidden ? "Stopped." : "");
    if (state.error && JSON.stringify(state.error) !== JSON.stringify(before?.error)) this.wrong(state.error);
    this.desk.show(state, this.session);
  }

  showVideo({ video, work, timeline, error }) {
    $("drop").hidden = Boolean(video) || Boolean(work);
    $("chosen").hidden = !video;
    $("forget").hidden = !video;
    if (video) $("chosen-name").textContent = `${video.name}, ${span(video.duration)}${video.has_sound ? ", with a sound of its own" : ""}`;
    const asks = video && !work && !timeline && !error;
    $("ask").hidden = !asks;
    if (asks) {
      $("ask-words").textContent = this.stopped ? "It was stopped. Watch it after all?"
        : `Watching this video will take about ${span(video.estimate_s ?? video.duration)}.`;
    }
  }

  /** A request failed. */
  refused(error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 404 && !error.field) this.notice(GONE);
    else this.wrong(error);
    if (!this.state?.work || this.state.work.doing?.startsWith("Sending")) {
      if (!this.state?.video) this.state = null;
      this.panel.show(null);
      $("drop").hidden = Boolean(this.state?.video);
    }
  }

  /** Show what is wrong beside what it names. */
  wrong({ field, message }) {
    if (this.desk.complain(field, message)) return;
    if (field === "video" || !this.state?.timeline) complain($("error-video"), message, $("file"));
    else complain($("error-form"), message);
    if (!this.state?.timeline) $("drop").hidden = Boolean(this.state?.video && !this.state.error);
  }

  clear() {
    for (const place of document.querySelectorAll(".error")) place.textContent = "";
    for (const input of document.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    this.desk.form.clear();
  }

  /** Choose another video; what was made stays at its link. */
  another() {
    this.unfollow?.();
    this.session = this.state = this.slot = null;
    history.pushState(null, "", location.pathname);
    this.desk.forget();
    this.panel.show(null);
    for (const id of ["chosen", "ask", "forget"]) $(id).hidden = true;
    $("drop").hidden = false;
    this.clear();
    $("file").focus();
  }

  async forget() {
    try {
      await this.session.remove();
      this.another();
      this.notice("The video and all that was made for it are removed.");
    } catch (error) {
      this.refused(error);
    }
  }
}

try {
  const app = new App(await askLimits());
  await app.resume();
} catch (error) {
  $("notice").hidden = false;
  $("notice").textContent = error instanceof Refused ? error.message : AWAY;
  throw error;
}
