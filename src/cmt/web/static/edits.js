// What the visitor changes of what was seen: sections, each beginning at a bar, and hits.

/**
 * @typedef {{bar: number, energy: number, instruments: string[]|null, chords: string}} Section
 * instruments null: those of the whole piece; energy 0 … 2, 1 as the picture, 0 a rest
 */

const NEAR = 0.25; // seconds between two beginnings of a section that are one

/** What the settings of a take ask of sections and hits: in the end, if it was changed since. */
export function partsOf({ sections, hits, passages }) {
  const last = (passages ?? []).findLast((change) => change.sections);
  return { sections: (last ?? { sections }).sections ?? [], hits: (last ?? { hits }).hits ?? null };
}

const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

const plain = (bar) => ({ bar, energy: 1, instruments: null, chords: "" });

export class Edits {
  /** @param {{bars: number[], scenes: {bar: number}[], hits: object[], duration: number}} timeline */
  constructor(timeline) {
    this.seen = timeline;
    this.locked = []; // stretches of seconds of the take that is heard, see locks.js
    this.lockable = false;
    this.reset();
  }

  reset() {
    const firsts = this.seen.scenes.map((scene) => scene.bar);
    if (firsts[0] !== 0) firsts.unshift(0);
    this.sections = [...new Set(firsts)].map(plain);
    this.removed = new Set();
    this.added = [];
    this.moved = false;
  }

  get bars() {
    return this.seen.bars;
  }

  /** Second at which a bar begins; the end of the video after the last one. */
  second(bar) {
    return bar < this.bars.length ? this.bars[bar] : this.seen.duration;
  }

  /** The bar that begins nearest to a second. */
  nearest(second) {
    let best = 0;
    this.bars.forEach((start, bar) => {
      if (Math.abs(start - second) < Math.abs(this.bars[best] - second)) best = bar;
    });
    return best;
  }

  /** The bar that sounds at a second. */
  barAt(second) {
    const after = this.bars.findIndex((start) => start > second + 1e-6);
    return Math.max(0, (after < 0 ? this.bars.length : after) - 1);
  }

  /** Index of the section that sounds at a second. */
  sectionAt(second) {
    const bar = this.barAt(second);
    return this.sections.findLastIndex((section) => section.bar <= bar);
  }

  start(index) {
    return this.second(this.sections[index].bar);
  }

  /** The bar after the last of a section. */
  endBar(index) {
    return this.sections[index + 1]?.bar ?? this.bars.length;
  }

  end(index) {
    return this.second(this.endBar(index));
  }

  /** Whether all of a section is locked; at another tempo its bars are not quite the take's. */
  isLocked(index) {
    const [start, end] = [this.start(index), this.end(index)];
    const room = Math.min(end - start, this.second(1) - this.second(0)) / 2;
    return this.locked.some(([from, to]) => from < start + room && to > end - room);
  }

  /** Index of the locked section that sounds at a second, or −1. */
  lockedAt(second) {
    const index = this.sectionAt(second);
    return this.isLocked(index) ? index : -1;
  }

  /** Whether a border is that of a locked section, and so stays. */
  isFixed(index) {
    return this.isLocked(index) || this.isLocked(index - 1);
  }

  /** Take back what is asked of a section and has not been made. */
  settle(index, { sections, hits }) {
    const [start, end] = [this.start(index), this.end(index)];
    const { energy = 1, instruments = null, chords = "" } = sections.findLast((one) => one.start < start + NEAR) ?? {};
    Object.assign(this.sections[index], { energy, instruments, chords: chords ?? "" });
    const inside = ({ second }) => second >= start && second < end;
    for (const hit of this.seen.hits.filter(inside)) {
      if (!hits || hits.includes(hit.id)) this.removed.delete(hit.id);
      else this.removed.add(hit.id);
    }
    const made = (hits ?? []).filter((hit) => typeof hit === "object");
    this.added = this.added.filter((hit) => !inside(hit));
    for (const hit of made.filter(inside)) this.add(hit.second, hit.strength);
  }

  /** Bars at which a section may begin, so that it and the one before keep a bar. */
  range(index) {
    return [this.sections[index - 1].bar + 1, this.endBar(index) - 1];
  }

  /** Let a section begin at a bar, as near as its neighbours allow. */
  move(index, bar) {
    if (index === 0 || this.isFixed(index)) return;
    const [low, high] = this.range(index);
    this.sections[index].bar = Math.min(Math.max(bar, low), high);
    this.moved = true;
  }

  /** Divide the section that has this bar: a new one begins there. Returns its index, or −1. */
  split(bar) {
    const index = this.sections.findLastIndex((section) => section.bar <= bar);
    if (this.sections[index].bar === bar || bar >= this.bars.length) return -1;
    this.sections.splice(index + 1, 0, { ...this.sections[index], bar });
    this.moved = true;
    return index + 1;
  }

  /** Make one section of this and the one before. */
  join(index) {
    if (index === 0) return;
    this.sections.splice(index, 1);
    this.moved = true;
  }

  get changed() {
    const own = ({ energy, instruments, chords }) => energy !== 1 || instruments || chords.trim();
    return this.moved || this.sections.some(own) || this.removed.size > 0 || this.added.length > 0;
  }

  /** All hits in time, those of the visitor included; `kept` is false for those left out. */
  get hits() {
    const seen = this.seen.hits.map((hit) => ({ ...hit, kept: !this.removed.has(hit.id) }));
    const added = this.added.map((hit) => ({ ...hit, kind: "added", kept: true }));
    return [...seen, ...added].sort((a, b) => a.second - b.second);
  }

  /** Leave a hit out, or take it back; one that was added goes. */
  toggle(hit) {
    if (hit.kind === "added") this.added = this.added.filter((one) => one.id !== hit.id);
    else if (!this.removed.delete(hit.id)) this.removed.add(hit.id);
  }

  /** Add a hit at a second, 0 < strength ≤ 1. */
  add(second, strength = 1) {
    const id = `own-${second.toFixed(3)}`;
    if (!this.added.some((hit) => hit.id === id)) this.added.push({ id, second, strength });
  }

  /** The same edits on the bars of another tempo. */
  regrid(timeline) {
    const starts = this.sections.map((_, index) => this.start(index));
    this.seen = timeline;
    const taken = new Set();
    this.sections = this.sections
      .map((section, index) => ({ ...section, bar: index ? this.nearest(starts[index]) : 0 }))
      .filter(({ bar }) => !taken.has(bar) && taken.add(bar));
  }

  /** As the server takes them; empty and null where nothing was changed. */
  get body() {
    const sections = this.sections.map(({ bar, energy, instruments, chords }, index) => ({
      bar, start: this.start(index), energy, instruments, chords: chords.trim() || null,
    }));
    const kept = this.seen.hits.filter((hit) => !this.removed.has(hit.id)).map((hit) => hit.id);
    const own = this.added.map(({ second, strength }) => ({ second, strength }));
    const edited = this.removed.size || this.added.length;
    const sectioned = this.moved || sections.some((s) => s.energy !== 1 || s.instruments || s.chords);
    return { sections: sectioned ? sections : [], hits: edited ? [...kept, ...own] : null };
  }

  /** Whether something else is asked than `body` once gave. */
  differs({ sections, hits }) {
    const mine = this.body;
    const one = (s, k) => Math.abs(s.start - sections[k].start) < NEAR && (s.energy ?? 1) === (sections[k].energy ?? 1)
      && same(s.instruments, sections[k].instruments) && same(s.chords, sections[k].chords);
    if (mine.sections.length !== sections.length || !mine.sections.every(one)) return true;
    const names = (all) => same(null, all) ? this.seen.hits.map((hit) => String(hit.id))
      : all.map((hit) => (typeof hit === "object" ? `at ${hit.second.toFixed(3)}` : String(hit)));
    return !same(names(mine.hits).sort(), names(hits).sort());
  }

  /** Take over what `body` once gave. */
  restore({ sections, hits }) {
    this.reset();
    if (sections?.length) {
      this.sections = sections.map((s) => ({
        bar: s.start === undefined ? s.bar : this.nearest(s.start),
        energy: s.energy ?? 1, instruments: s.instruments ?? null, chords: s.chords ?? "",
      }));
      this.moved = true;
    }
    if (!hits) return;
    const kept = new Set(hits.filter((hit) => typeof hit !== "object"));
    this.removed = new Set(this.seen.hits.map((hit) => hit.id).filter((id) => !kept.has(id)));
    for (const hit of hits) if (typeof hit === "object") this.add(hit.second, hit.strength);
  }
}
