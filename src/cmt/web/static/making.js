// What is asked of the server: takes, the whole of a preview, and takes that are others in part.

import { $ } from "./dom.js";
import { partsOf } from "./edits.js";
import { count, list } from "./words.js";

const anySeed = () => Math.floor(Math.random() * 1e6);

export class Making {
  /** @param {object} desk whose edits, form, session and takes it is asked with */
  constructor(desk) {
    this.desk = desk;
    this.reopened = null; // parts that were filled in from settings, and what the page said of them
    $("make").addEventListener("click", () => (this.locked.length ? this.rest($("slot-music")) : this.compose(false)));
    $("preview").addEventListener("click", () => this.compose(true));
    $("revise").addEventListener("click", () => this.revise());
    $("rest").addEventListener("click", () => this.rest($("slot-seen")));
    $("unlock").addEventListener("click", () => this.unlock());
  }

  /** Ask, and have what comes be heard; false where it was refused. */
  ask(slot, does) {
    const { app, known } = this.desk;
    this.desk.takesBefore = known;
    return app.ask(slot, does);
  }

  async compose(preview) {
    const { edits, form, session, state } = this.desk;
    const parts = edits.body;
    const again = this.reopened?.body === JSON.stringify(parts) ? this.reopened.parts : parts;
    const body = { ...form.values, ...again, preview };
    const before = state.takes.find((take) => take.preview && take.settings.seed === body.seed);
    if (before) body.precision ??= before.settings.precision; // else it might have other notes
    if (!(await this.ask($("slot-music"), () => session.compose(body)))) return;
    if (!preview) form.nextSeed = body.seed + body.takes; // a preview is of what comes next
  }

  /** Make the whole of a preview. */
  async whole({ settings }) {
    const { form, session } = this.desk;
    const body = { ...settings, preview: false };
    if (!(await this.ask($("slot-seen"), () => session.compose(body)))) return;
    form.nextSeed = Math.max(form.nextSeed, body.seed + 1);
  }

  /** What made a take is filled in: as long as nothing is changed, what was made again in it is, too. */
  reopen({ sections, hits, passages, precision, locked }) {
    const parts = { sections, hits, passages, precision, locked };
    this.reopened = { body: JSON.stringify(this.desk.edits.body), parts };
  }

  // In part

  /** The take that is heard, if other sections or hits are wanted than it has. */
  get revisable() {
    const { edits, heardTake: take } = this.desk;
    return take?.settings && !take.preview && edits.differs(partsOf(take.settings)) ? take : null;
  }

  /** What is locked of the take that is heard, [[from, to], …] in seconds. */
  get locked() {
    return this.desk.locks?.of(this.desk.heardTake) ?? [];
  }

  /** Have bars of a take made again, from 0, up to the first that stays, but for what is locked. */
  again(slot, { id }, from, to, wanted = {}) {
    const { session } = this.desk;
    const body = { ...wanted, from_bar: from, to_bar: to, seed: anySeed(), locked: this.locked };
    return this.ask(slot, () => session.again(id, body));
  }

  /** Have a section of the take that is heard made again, as it is wanted now. */
  section(index) {
    const { edits, heardTake } = this.desk;
    const [from, to] = [edits.start(index), edits.end(index)].map((second) => this.nearest(second));
    return this.again($("slot-seen"), heardTake, from, Math.max(to, from + 1), this.wanted(heardTake));
  }

  /** What is asked of sections and hits, where that is something else than a take has. */
  wanted(take) {
    const { edits } = this.desk;
    return edits.differs(partsOf(take.settings)) ? edits.body : {};
  }

  /** The bar of the music that begins nearest to a second; the one after the last is the end. */
  nearest(second) {
    const away = this.borders.map((border) => Math.abs(border - second));
    return away.indexOf(Math.min(...away));
  }

  get borders() {
    return [...this.desk.bars, this.desk.seen.duration];
  }

  /** Have the take that is heard changed where other sections or hits are wanted. */
  revise() {
    const { edits, session } = this.desk;
    const body = { ...edits.body, seed: anySeed(), locked: this.locked };
    const { id } = this.revisable;
    return this.ask($("slot-seen"), () => session.revise(id, body));
  }

  /** Have all made anew but what is locked. */
  rest(slot) {
    const { bars, heardTake, locks, state } = this.desk;
    const base = locks.base(heardTake, state.takes);
    return this.again(slot, base, 0, bars.length, this.wanted(base));
  }

  /** Lock a section of the take that is heard as it is in that, or unlock it. */
  lock(index) {
    const { edits, heardTake, locks } = this.desk;
    if (!edits.lockable) return;
    const locked = edits.isLocked(index);
    if (!locked) edits.settle(index, partsOf(heardTake.settings));
    const stretch = [edits.start(index), edits.end(index)].map((second) => this.borders[this.nearest(second)]);
    locks.set(heardTake, stretch, !locked);
    this.desk.edited();
  }

  unlock() {
    const { heardTake, locks } = this.desk;
    locks.put(heardTake, []);
    this.desk.edited();
    $("sections").querySelector("button")?.focus();
  }

  /** Show what can be asked of the take that is heard. */
  show() {
    const { edits, form, heardTake } = this.desk;
    const { locked, revisable } = this;
    edits.locked = locked;
    edits.lockable = Boolean(this.desk.limits.again && heardTake?.settings && !heardTake.preview);
    $("lockable").hidden = !edits.lockable;
    $("revise-part").hidden = !revisable;
    if (revisable) $("revise").textContent = `Change only this in ${revisable.name}`;
    for (const id of ["locked", "held"]) $(id).hidden = !locked.length;
    $("preview").hidden = locked.length > 0;
    form.hold(locked.length > 0);
    if (!locked.length) return;
    const numbers = edits.sections.map((_, index) => index).filter((index) => edits.isLocked(index)).map((index) => index + 1);
    const all = numbers.length === edits.sections.length;
    const what = numbers.length ? `Section${numbers.length > 1 ? "s" : ""} ${list(numbers.map(String))}` : count(locked.length, "passage");
    const are = numbers.length > 1 || (!numbers.length && locked.length > 1) ? "are" : "is";
    const first = `${what} of ${heardTake.name} ${are} locked`;
    $("locked-words").textContent = all ? `${first}: unlock one, to have it made anew.` : `${first}, and will stay note for note.`;
    $("held").textContent = `${first}. “Make music” writes the rest anew; mood, style, tempo and the rest of this form stay those of ${heardTake.name} until you unlock ${are === "is" ? "it" : "them"}.`;
  }
}
