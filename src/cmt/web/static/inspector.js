// Sections and hits as lists and fields: all that can be done on the timeline, by keyboard, too.

import { $, keepFocus, make } from "./dom.js";
import { hitWords } from "./drawing.js";
import { clock, count, fullness } from "./words.js";

const ENERGIES = [[0, "Rest"], [0.5, "Sparse"], [0.8, "Lighter"], [1, "As the picture"], [1.3, "Fuller"], [1.7, "Very full"]];

export class Inspector {
  /**
   * @param {string[]} instruments names
   * @param {{changed: () => void, lock: (index: number) => void, again: (index: number) => void}} on called
   *   after each change of the edits; locks a section of the take that is heard, or unlocks it; has it made again
   */
  constructor(instruments, on) {
    Object.assign(this, on);
    this.instruments = instruments;
    this.chosen = -1;
    this.wrong = {};
  }

  show(edits) {
    this.edits = edits;
    if (this.chosen >= edits.sections.length) this.chosen = -1;
    this.draw();
  }

  /** Whether nothing more can be asked for now. */
  setBusy(busy) {
    if (this.busy === busy) return;
    this.busy = busy;
    if (this.edits) this.draw();
  }

  /** Choose a section, and lead the keyboard to its fields. */
  choose(index, focus = false) {
    this.chosen = index === this.chosen && !focus ? -1 : index;
    this.draw();
    if (focus) $("inspector").querySelector("input, select, button")?.focus();
  }

  complain(index, field, message) {
    this.wrong = { [`${index}.${field}`]: message };
    this.choose(index, true);
  }

  draw() {
    const { edits } = this;
    keepFocus($("sections"), () => $("sections").replaceChildren(...edits.sections.map((s, k) => this.chip(s, k))));
    keepFocus($("inspector"), () => this.drawInspector());
    keepFocus($("hits"), () => $("hits").replaceChildren(...edits.hits.map((hit) => this.hit(hit))));
    const kept = edits.hits.filter((hit) => hit.kept).length;
    const left = edits.hits.length - kept;
    $("hits-count").textContent = count(kept, "moment") + (left ? `, ${left} left out` : "");
    $("edited").hidden = !edits.changed;
    $("edited-words").textContent = "You have changed what was seen; “Make music” follows your changes.";
  }

  chip(section, index) {
    const { edits } = this;
    const said = [section.energy === 1 ? null : fullness(section.energy),
      section.instruments ? section.instruments.join(", ").toLowerCase() : null, section.chords || null];
    return make("li", {}, edits.lockable ? this.padlock(index) : null, make("button.chip", {
      type: "button", "data-key": `section-${index}`, "aria-pressed": String(index === this.chosen),
      onclick: () => { this.choose(index); this.changed(); },
    }, make("strong", {}, `Section ${index + 1}`),
    make("span", {}, `${clock(edits.start(index))}–${clock(edits.end(index))}`),
    ...said.filter(Boolean).map((words) => make("span.said", {}, words))));
  }

  /** A button that locks a section, pressed where it is. */
  padlock(index) {
    const locked = this.edits.isLocked(index);
    return make("button.lock", {
      type: "button", "data-key": `lock-${index}`, "aria-pressed": String(locked), "aria-label": `Lock section ${index + 1}`,
      title: locked ? "Locked: it stays as it is. Press to unlock it" : "Lock: keep this section as it is, and make the rest anew",
      onclick: () => this.lock(index),
    });
  }

  drawInspector() {
    const root = $("inspector");
    const section = this.edits.sections[this.chosen];
    root.hidden = !section;
    if (!section) return root.replaceChildren();
    const name = `Section ${this.chosen + 1}`;
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", name);
    const head = make("h4", {}, name, make("span.soft", {}, ` bars ${section.bar + 1} to ${this.edits.endBar(this.chosen)}`));
    if (this.edits.isLocked(this.chosen)) return root.replaceChildren(head, ...this.lockedWords());
    root.replaceChildren(
      head, make("div.columns", {}, this.energyField(section), this.chordsField(section), this.beginField(section)),
      this.instrumentsField(section), this.buttons());
  }

  /** Change a section, and draw what shows it. */
  put(section, values) {
    Object.assign(section, values);
    this.wrong = {};
    this.draw();
    this.changed();
  }

  energyField(section) {
    const options = ENERGIES.some(([value]) => value === section.energy)
      ? ENERGIES : [...ENERGIES, [section.energy, `× ${section.energy}`]];
    const control = make("select", {
      id: "s-energy", "data-key": "energy",
      onchange: (event) => this.put(section, { energy: Number(event.target.value) }),
    }, ...options.map(([value, words]) => make("option", { value }, words)));
    control.value = section.energy;
    return make("div.field", {}, make("label", { for: "s-energy" }, "How full"), control);
  }

  chordsField(section) {
    const wrong = this.wrong[`${this.chosen}.chords`];
    return make("div.field", {}, make("label", { for: "s-chords" }, "Chords"),
      make("input", {
        id: "s-chords", type: "text", "data-key": "chords", value: section.chords, placeholder: "found for you",
        autocomplete: "off", spellcheck: "false", "aria-describedby": "s-chords-error", "aria-invalid": wrong ? "true" : null,
        onchange: (event) => this.put(section, { chords: event.target.value }),
      }),
      make("p.hint", {}, "A bar each, such as Am F C G"),
      make("p.error", { id: "s-chords-error", role: "alert" }, wrong ?? ""));
  }

  /** What stands in place of the fields of a locked section. */
  lockedWords() {
    const unlock = make("button.small", { type: "button", "data-key": "unlock", onclick: () => this.lock(this.chosen) }, "Unlock it");
    return [make("p", {}, "It is locked: it stays note for note when music is made."), make("div.row", {}, unlock, this.done())];
  }

  beginField(section) {
    if (this.chosen === 0 || this.edits.isFixed(this.chosen)) return null;
    const [low, high] = this.edits.range(this.chosen);
    return make("div.field", {}, make("label", { for: "s-bar" }, "Begins at bar"),
      make("input", {
        id: "s-bar", type: "number", "data-key": "bar", min: low + 1, max: high + 1, value: section.bar + 1,
        onchange: (event) => {
          this.edits.move(this.chosen, Math.round(Number(event.target.value)) - 1);
          this.put(section, {});
        },
      }),
      make("p.hint", {}, `at ${clock(this.edits.start(this.chosen), true)}`));
  }

  instrumentsField(section) {
    const own = section.instruments ?? this.instruments;
    const boxes = this.instruments.map((name) => make("label.tick", {}, make("input", {
      type: "checkbox", "data-key": `plays-${name}`, checked: own.includes(name),
      onchange: (event) => {
        const now = this.instruments.filter((one) => (one === name ? event.target.checked : own.includes(one)));
        if (!now.length) return this.put(section, { energy: 0, instruments: null });
        this.put(section, { instruments: now.length === this.instruments.length ? null : now });
      },
    }), make(`span.dot.${name.toLowerCase()}`), name));
    return make("fieldset.field", {}, make("legend", {}, "Who plays here"), make("div.row", {}, ...boxes));
  }

  buttons() {
    const { chosen, edits } = this;
    const middle = Math.floor((edits.sections[chosen].bar + edits.endBar(chosen)) / 2);
    const here = edits.barAt(this.playhead ?? 0);
    const inside = here > edits.sections[chosen].bar && here < edits.endBar(chosen) ? here : middle;
    const divides = inside > edits.sections[chosen].bar;
    const act = (words, does) => make("button.small", {
      type: "button", "data-key": words, onclick: () => { does(); this.draw(); this.changed(); },
    }, words);
    return make("div.row", {},
      edits.lockable ? make("button.small.first", { type: "button", "data-key": "again", disabled: this.busy, onclick: () => this.again(chosen) }, "Another take of this section") : null,
      divides ? act(`Divide at ${clock(edits.second(inside))}`, () => { this.chosen = edits.split(inside); }) : null,
      chosen > 0 && !edits.isFixed(chosen) ? act("Join with the one before", () => { edits.join(chosen); this.chosen -= 1; }) : null,
      this.done());
  }

  /** A button that leaves the fields of a section. */
  done() {
    const { chosen } = this;
    return make("button.small", {
      type: "button", "data-key": "Done",
      onclick: () => {
        this.chosen = -1;
        this.draw();
        this.changed();
        $("sections").querySelectorAll("button.chip")[chosen]?.focus();
      },
    }, "Done");
  }

  hit(hit) {
    return make("li", {}, make("label.tick", {}, make("input", {
      type: "checkbox", "data-key": `hit-${hit.id}`, checked: hit.kept, disabled: this.edits.lockedAt(hit.second) >= 0,
      onchange: () => { this.edits.toggle(hit); this.draw(); this.changed(); },
    }), hitWords(hit), this.edits.lockedAt(hit.second) < 0 ? null : make("span.soft", {}, "locked")));
  }
}
