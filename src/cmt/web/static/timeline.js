// The timeline: what was seen and what is played over one time axis, to look at, seek and edit.

import { drawBase, drawOver, hitWords, layout, palette } from "./drawing.js";
import { clock } from "./words.js";

const GRIP = 7; // pixels around a border or a hit that are it
const DRAG = 5; // pixels that make a press a drag
const CLOSEST = 160; // pixels a second, at most; short videos grow by
const SHORT = 4;

/**
 * Events it sends (CustomEvent, `detail`): seek (second), border ({index, bar}), section (index),
 * lock (index of a section), hit (the hit), newhit (second), passage ([second, second] or null), key (what it does not do itself)
 */
export class Timeline extends EventTarget {
  constructor(root, pointed) {
    super();
    this.root = root;
    this.pointed = pointed;
    this.track = root.querySelector(".track");
    [this.base, this.over] = root.querySelectorAll("canvas");
    this.zoom = 1;
    this.playhead = 0;
    this.passage = null;
    this.chosen = -1;
    this.muted = new Set();
    this.music = null;
    new ResizeObserver(() => this.resize()).observe(root);
    root.addEventListener("scroll", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.listen();
  }

  say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Show a video: `timeline` as the server tells it, `edits` of it, the picture of thumbnails. */
  show(timeline, edits, strip) {
    this.seen = timeline;
    this.edits = edits;
    if (strip !== this.strip?.getAttribute("src")) {
      this.strip = new Image();
      this.strip.onload = () => this.draw();
      this.strip.src = strip;
    }
    this.root.setAttribute("aria-valuemax", timeline.duration.toFixed(1));
    this.resize();
  }

  setMusic(music) {
    this.music = music;
    this.resize();
  }

  resize() {
    const width = this.root.clientWidth;
    const found = layout(width, Boolean(this.music));
    if (!this.seen || width <= found.gutter) return; // there is no room for a second
    Object.assign(this, found);
    this.zoom = Math.min(this.zoom, this.mostZoom);
    this.track.style.width = `${this.gutter + this.perSecond * this.seen.duration}px`;
    const ratio = devicePixelRatio || 1;
    for (const canvas of [this.base, this.over]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(this.height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${this.height}px`;
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.track.style.height = `${this.height}px`;
    this.draw();
  }

  /** Pixels of a second. */
  get perSecond() {
    return ((this.root.clientWidth - this.gutter) * this.zoom) / this.seen.duration;
  }

  get mostZoom() {
    return Math.max(SHORT, (CLOSEST * this.seen.duration) / this.root.clientWidth);
  }

  /** What `drawing.js` needs to know. */
  scene() {
    const { seen, root } = this;
    const perSecond = this.perSecond;
    const left = root.scrollLeft - this.gutter;
    return {
      lanes: this.lanes, height: this.height, gutter: this.gutter, width: root.clientWidth, perSecond,
      x: (time) => time * perSecond - left,
      second: (x) => (x + left) / perSecond,
      colours: palette(root), duration: seen.duration,
      bars: this.music?.bars ?? this.edits.bars, speed: seen.speed, pictures: seen.thumbnails,
      strip: this.strip, edits: this.edits, chosen: this.chosen, pointedHit: this.pointedHit,
      music: this.music, muted: this.muted,
    };
  }

  /** Draw at the next frame, once however often it is asked. */
  draw() {
    if (this.waiting || !this.seen || !this.lanes) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      const scene = this.scene();
      if (!(scene.perSecond > 0)) return;
      drawBase(this.base.getContext("2d"), scene);
      drawOver(this.over.getContext("2d"), scene, this.playhead, this.passage);
    });
  }

  /** Move the playhead; while it plays, keep it in view. */
  setPlayhead(second, follow = false) {
    this.playhead = second;
    if (!this.seen || !this.lanes) return;
    const scene = this.scene();
    const at = scene.x(second);
    if (follow && (at < scene.gutter || at > scene.width)) this.root.scrollLeft += at - 0.15 * scene.width;
    drawOver(this.over.getContext("2d"), scene, second, this.passage);
    this.root.setAttribute("aria-valuenow", second.toFixed(1));
    const section = this.edits.sectionAt(second) + 1;
    this.root.setAttribute("aria-valuetext",
      `${clock(second, true)} of ${clock(this.seen.duration)}, section ${section}`);
  }

  /** Zoom by a factor, around a place in pixels (the playhead, or the middle). */
  zoomBy(factor, around = null) {
    const scene = this.scene();
    const head = scene.x(this.playhead);
    const at = around ?? (head >= 0 && head <= scene.width ? head : scene.width / 2);
    const second = scene.second(at);
    this.zoom = Math.min(Math.max(this.zoom * factor, 1), this.mostZoom);
    this.resize();
    this.root.scrollLeft = second * this.scene().perSecond - at;
  }

  /** What stands at a point of the canvas: its second, and the border, hit or section there. */
  find(event) {
    const box = this.base.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const scene = this.scene();
    const second = Math.min(Math.max(scene.second(x), 0), this.seen.duration);
    const inLane = (name) => this.lanes[name] && y >= this.lanes[name].top && y <= this.lanes[name].bottom;
    const near = (time, room = GRIP) => Math.abs(scene.x(time) - x) <= room;
    const found = { x, second, lane: Object.keys(this.lanes).find(inLane), border: -1, hit: null };
    if (found.lane === "sections") {
      const room = event.pointerType === "touch" ? 2 * GRIP : GRIP;
      const moves = (k) => k > 0 && near(this.edits.start(k), room) && !this.edits.isFixed(k);
      found.border = this.editable ? this.edits.sections.findIndex((_, k) => moves(k)) : -1;
    }
    if (found.lane === "hits") {
      const close = this.edits.hits.filter((hit) => near(hit.second, GRIP + 2));
      const away = (hit) => Math.abs(hit.second - second);
      found.hit = close.sort((a, b) => away(a) - away(b))[0] ?? null;
    }
    return found;
  }

  listen() {
    const canvas = this.over;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => (this.pressed = null));
    canvas.addEventListener("pointerleave", () => this.tell(""));
    canvas.addEventListener("dblclick", (event) => {
      const found = this.find(event);
      if (found.lane === "hits" && !found.hit) this.say("newhit", found.second);
    });
    // A finger on a border drags it; elsewhere it scrolls.
    canvas.addEventListener("touchstart", (event) => {
      const touch = event.touches[0];
      const place = { clientX: touch.clientX, clientY: touch.clientY, pointerType: "touch" };
      if (this.seen && this.find(place).border > 0) event.preventDefault();
    }, { passive: false });
    this.root.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const x = event.clientX - this.root.getBoundingClientRect().left;
      this.zoomBy(2 ** (-event.deltaY / 240), x);
    }, { passive: false });
    this.root.addEventListener("keydown", (event) => this.keyed(event));
  }

  press(event) {
    if (!this.seen || event.button) return;
    this.pressed = { ...this.find(event), moved: false, touch: event.pointerType === "touch" };
    if (!this.pressed.touch || this.pressed.border > 0) this.over.setPointerCapture(event.pointerId);
  }

  point(event) {
    if (!this.seen) return;
    const found = this.find(event);
    const { pressed } = this;
    if (!pressed) return this.hover(found);
    pressed.moved ||= Math.abs(found.x - pressed.x) > DRAG;
    if (!pressed.moved) return;
    if (pressed.border > 0) {
      this.say("border", { index: pressed.border, bar: this.edits.nearest(found.second) });
    } else if (pressed.lane === "ruler") {
      this.say("seek", found.second);
    } else if (!pressed.touch && pressed.lane !== "sections") {
      this.select(pressed.second, found.second);
    }
  }

  release(event) {
    const { pressed } = this;
    this.pressed = null;
    if (!pressed || pressed.moved) return;
    if (pressed.hit) return this.say("hit", pressed.hit);
    if (pressed.lane === "sections" && this.editable) this.say("section", this.edits.sectionAt(pressed.second));
    if (this.passage && pressed.lane !== "sections") this.setPassage(null);
    this.say("seek", this.find(event).second);
  }

  hover(found) {
    this.over.style.cursor = found.border > 0 ? "ew-resize" : found.hit || found.lane === "sections" ? "pointer" : "crosshair";
    if (found.hit?.id !== this.pointedHit) {
      this.pointedHit = found.hit?.id;
      this.draw();
    }
    this.tell(this.placeWords(found));
  }

  /** What is under the pointer, in words. */
  placeWords({ border, hit, lane, second }) {
    if (border > 0) return `Drag to let section ${border + 1} begin at another bar`;
    if (hit?.kind === "added") return `${hitWords(hit)}: click to take it away again`;
    if (hit) return `${hitWords(hit)}: click to ${hit.kept ? "leave it out" : "take it back"}`;
    const section = this.edits.sectionAt(second) + 1;
    const more = lane === "hits" ? " · double-click to add a hit" : lane === "sections" && this.editable ? " · click to change it" : "";
    return `${clock(second, true)} · section ${section} · bar ${this.edits.barAt(second) + 1}${more}`;
  }

  tell(words) {
    this.pointed.textContent = words;
  }

  /** Select from bar to bar, whichever way it was dragged. */
  select(from, to) {
    const bars = this.music?.bars ?? this.edits.bars;
    const [low, high] = from < to ? [from, to] : [to, from];
    const start = bars.findLast((bar) => bar <= low + 1e-6) ?? 0;
    const end = bars.find((bar) => bar >= high - 1e-6 && bar > start) ?? this.seen.duration;
    this.setPassage([start, end]);
  }

  setPassage(passage) {
    this.passage = passage;
    this.draw();
    this.say("passage", passage);
  }

  keyed(event) {
    if (!this.seen || event.ctrlKey || event.metaKey || event.altKey) return;
    const { edits, playhead, seen } = this;
    const section = edits.sectionAt(playhead);
    const bar = edits.barAt(playhead);
    const seek = (second) => this.say("seek", Math.min(Math.max(second, 0), seen.duration));
    const step = (way) => seek(event.shiftKey ? edits.second(Math.max(bar + way, 0)) : playhead + way);
    const does = {
      ArrowRight: () => step(1), ArrowLeft: () => step(-1),
      ArrowUp: () => step(1), ArrowDown: () => step(-1),
      Home: () => seek(0), End: () => seek(seen.duration),
      PageUp: () => seek(edits.start(Math.max(section - 1, 0))),
      PageDown: () => seek(edits.end(section)),
      "+": () => this.zoomBy(2), "=": () => this.zoomBy(2), "-": () => this.zoomBy(0.5),
      0: () => this.zoomBy(1 / this.zoom),
      Enter: () => this.say("section", section),
      h: () => this.say("newhit", playhead), H: () => this.say("newhit", playhead),
      l: () => this.say("lock", section), L: () => this.say("lock", section),
      "[": () => this.select(playhead, Math.max(this.passage?.[1] ?? 0, playhead + 1e-3)),
      "]": () => this.select(Math.min(this.passage?.[0] ?? playhead, playhead), playhead),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }
}
