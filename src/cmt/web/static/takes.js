// The takes: which is heard, what is said of each, what to take home.

import { $, keepFocus, make } from "./dom.js";

const FILES = [
  ["mp4", "Video", "with the music"],
  ["wav", "Sound (WAV)", "for editing"],
  ["mp3", "Sound (MP3)", "small"],
  ["mid", "Notes (MIDI)", "with markers"],
  ["zip", "Everything (ZIP)", "each instrument alone (WAV), markers, settings"],
  ["json", "Settings (JSON)", "opens here again"],
];

const IN_PREVIEWS = ["mp3", "mid", "json"];

/** What is said of a take: a sentence, or several. */
const said = ({ preview, words }) =>
  [preview ? "A first listen, without the film: the whole goes on with the same notes." : [], words].flat().join(" ");

export class Takes {
  /**
   * @param {{hear: (id) => void, use: (take) => void, whole: (take) => void}} on
   * @param {string[]} kinds of files that takes have
   */
  constructor(on, kinds) {
    this.on = on;
    this.files = FILES.filter(([kind]) => !kinds || kinds.includes(kind));
    this.takes = [];
    this.heard = null;
  }

  /** @param {Session} session @param {object[]} takes as the state has them */
  show(session, takes, heard) {
    const before = JSON.stringify([this.takes, this.heard, this.session?.token]);
    Object.assign(this, { session, takes, heard });
    if (JSON.stringify([takes, heard, session.token]) === before) return;
    this.draw();
  }

  draw() {
    keepFocus($("takes"), () => $("takes").replaceChildren(...this.takes.map((take) => this.card(take)).reverse()));
    keepFocus($("switch"), () => this.drawSwitch());
    this.drawNow();
  }

  get liked() {
    return new Set(this.session.recall("liked"));
  }

  like(id) {
    const liked = this.liked;
    if (!liked.delete(id)) liked.add(id);
    this.session.keepAside("liked", [...liked]);
    this.draw();
  }

  /** The takes side by side, above the timeline: they change at the same moment. */
  drawSwitch() {
    const choice = (id, words) => make("label", {}, make("input", {
      type: "radio", name: "heard", value: id ?? "", checked: this.heard === id, "data-key": `hear-${id}`,
      onchange: () => this.on.hear(id),
    }), make("span", {}, words));
    const liked = this.liked;
    const all = this.takes.map(({ id, name, preview }) =>
      choice(id, [name, preview ? "(preview)" : "", liked.has(id) ? "♥" : ""].filter(Boolean).join(" ")));
    $("switch").hidden = !this.takes.length;
    $("switch").replaceChildren(make("legend", {}, "Hear"), ...all, choice(null, "No music"));
  }

  /** What is heard now, in words, under the video. */
  drawNow() {
    const take = this.takes.find(({ id }) => id === this.heard);
    $("now").hidden = !take;
    if (!take) return;
    $("now").replaceChildren(
      make("p", {}, make("strong", {}, `${take.name}. `), said(take)),
      take.preview ? this.whole(take, "now") : make("a.button.small", {
        href: this.session.file(take.id, "mp4"), download: true,
      }, "Download the video"));
  }

  card(take) {
    const { id, name } = take;
    const heard = id === this.heard;
    const liked = this.liked.has(id);
    return make(`article.take${heard ? ".heard" : ""}`, { "aria-labelledby": `take-${id}` },
      make("div.take-head", {},
        make("h3", { id: `take-${id}` }, name, take.preview ? make("em.mark", {}, "preview") : null),
        make("div.row.tight", {},
          make("button.small", {
            type: "button", "data-key": `listen-${id}`, "aria-label": `Listen to ${name}`,
            onclick: () => this.on.hear(id, true),
          }, "Listen"),
          make("button.small.like", {
            type: "button", "data-key": `like-${id}`, "aria-pressed": String(liked), "aria-label": `Like ${name}`,
            onclick: () => this.like(id),
          }, liked ? "♥ Liked" : "Like"),
          make("button.small", {
            type: "button", "data-key": `use-${id}`, "aria-label": `Use the settings of ${name}`,
            onclick: () => this.on.use(take),
          }, "Use its settings"))),
      make("p", {}, said(take), take.preview ? " " : null, take.preview ? this.whole(take, "card") : null),
      make("p.files-title", { id: `files-${id}` }, "Take home"),
      make("ul.files", { "aria-labelledby": `files-${id}` }, ...this.filesOf(take).map((file) => this.file(take, file))),
      take.research?.length ? this.research(take) : null);
  }

  /** A button that makes the whole of a preview. */
  whole(take, where) {
    return make("button.small", {
      type: "button", "data-key": `whole-${where}-${take.id}`, onclick: () => this.on.whole(take),
      "aria-label": `Make the whole of ${take.name}`,
    }, "Make the whole of it");
  }

  filesOf({ preview }) {
    return preview ? this.files.filter(([kind]) => IN_PREVIEWS.includes(kind)) : this.files;
  }

  file({ id, suffix }, [kind, words, about]) {
    const shown = kind === "mp4" && suffix && suffix !== "mp4" ? `${words} (${suffix.toUpperCase()})` : words;
    return make("li", {}, make("a", { href: this.session.file(id, kind), download: true }, shown),
      make("small", {}, about));
  }

  /** What was measured, each term explained. */
  research({ id, research }) {
    return make("details.research", { "data-take": id }, make("summary", {}, "For researchers: what was measured"),
      make("dl", {}, ...research.map(({ term, value, meaning }) =>
        make("div", {}, make("dt", {}, term, " ", make("b", {}, value)), make("dd", {}, meaning)))));
  }
}
