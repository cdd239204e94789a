// What music: the form, its values as the server takes them, and what is wrong with them.

import { $, complain, make } from "./dom.js";
import { Recorder } from "./recorder.js";
import { capital, count } from "./words.js";

const named = (one) => (typeof one === "string" ? { name: one, about: "" } : one);
const percent = (range) => Number(range.value) / 100;

/** A control with its label, a hint, and a place for what is wrong with it. */
function field(name, label, control, hint = "") {
  control.id = `f-${name}`;
  control.dataset.field = name;
  control.setAttribute("aria-describedby", hint ? `hint-${name} error-${name}` : `error-${name}`);
  return make("div.field", {},
    make("label", { for: control.id }, label), control,
    hint ? make("p.hint", { id: `hint-${name}` }, hint) : null,
    make("p.error", { id: `error-${name}`, role: "alert" }));
}

function group(name, legend, ...children) {
  return make("fieldset.field", { "data-field": name },
    make("legend", {}, legend), ...children, make("p.error", { id: `error-${name}`, role: "alert" }));
}

function range(name, label, value, low, high) {
  const control = make("input", { type: "range", min: 0, max: 100, step: 5, value });
  const whole = field(name, label, control);
  control.after(make("div.ends", { "aria-hidden": "true" }, make("span", {}, low), make("span", {}, high)));
  return whole;
}

const select = (options) =>
  make("select", {}, ...options.map(([value, words]) => make("option", { value }, words)));

export class MusicForm {
  /**
   * @param {HTMLFormElement} root
   * @param {object} limits what the server offers
   * @param {{changed: () => void, tempo: () => void, theme: (file: File) => void, open: (text: string) => void}} on
   */
  constructor(root, limits, on) {
    this.root = root;
    this.limits = limits;
    this.on = on;
    this.nextSeed = 0;
    root.addEventListener("submit", (event) => event.preventDefault());
    root.addEventListener("change", (event) => {
      if (event.target.id === "f-genre") this.showBand();
      on.changed();
    });
    root.append(...[this.moods(), this.character(), this.instruments(), this.sound(), this.more()].filter(Boolean));
  }

  control(name) {
    return this.root.querySelector(`#f-${name}`);
  }

  moods() {
    const { moods = [] } = this.limits;
    if (!moods.length) return null;
    const choice = (value, title, about) => make("label.choice", {},
      make("input", { type: "radio", name: "mood", value }),
      make("span", {}, make("strong", {}, title, make("em.mark", { hidden: true }, "suggested")),
        about ? make("small", {}, about) : null));
    const cards = [...moods.map(named).map((mood) => choice(mood.name, capital(mood.name), mood.about)),
      choice("", "Any mood", "left to chance")];
    this.why = make("p.hint", { id: "mood-why" });
    for (const card of cards) {
      card.querySelector("input").addEventListener("change", () => {
        this.showBand();
        this.on.tempo();
      });
    }
    return group("mood", "Mood", make("div.choices", {}, ...cards), this.why);
  }

  character() {
    const { genres = [] } = this.limits;
    const styles = [["", "Any style"], ...genres.map(named).map(({ name }) => [name, capital(name)])];
    return make("div.columns.level", {},
      field("genre", "Style", select(styles)),
      this.limits.moods?.length ? range("energy", "Energy", 50, "quiet", "lively") : null,
      range("follow", "How closely it follows the picture", 100, "loosely", "every move"));
  }

  instruments() {
    const boxes = (this.limits.instruments ?? []).map((name) => make("label.tick", {},
      make("input", { type: "checkbox", name: "instruments", value: name, checked: true }),
      make(`span.dot.${name.toLowerCase()}`), name));
    return group("instruments", "Instruments", make("div.row", {}, ...boxes));
  }

  more() {
    const { keys = [], max_takes: most = 4, timbres = {} } = this.limits;
    const text = { type: "text", autocomplete: "off", spellcheck: "false" };
    const takes = Array.from({ length: most }, (_, k) => [String(k + 1), String(k + 1)]);
    const timbre = Object.entries(timbres).map(([name, sounds]) =>
      field(`timbre-${name}`, `Sound of ${name.toLowerCase()}`, select([["", ""], ...sounds.map((sound) => [sound, capital(sound)])])));
    return make("details.more", {}, make("summary", {}, "More"),
      make("div.columns", {},
        this.tempo(),
        field("key", "Key", select([["", "Any"], ...keys.map((key) => [key, key])])),
        field("chords", "Chords", make("input", { ...text, placeholder: "Am F C G" }),
          "A bar each, again and again. Empty: they are found for you."),
        field("takes", "Takes", select(takes), "How many to choose from."),
        field("seed", "Seed", make("input", { type: "number", min: 0, step: 1, placeholder: "another each time" }),
          "Another number, other music; the same number, the same music.")),
      timbre.length ? group("timbres", "Sounds", make("div.columns", {}, ...timbre)) : null,
      this.theme(), this.opener());
  }

  /** Say which sounds style and mood have, where no other is asked. */
  showBand() {
    const { any, genres, moods } = this.limits.bands ?? {};
    const band = genres?.[this.control("genre").value] ?? moods?.[this.mood] ?? any ?? {};
    for (const [name, sound] of Object.entries(band)) {
      this.control(`timbre-${name}`).options[0].textContent = `As it suits: ${sound}`;
    }
  }

  tempo() {
    const control = make("input", { type: "number", min: 20, max: 300, step: "any" });
    const whole = field("tempo", "Tempo (beats a minute)", control, "As the picture goes, in the mood’s range, unless you change it.");
    const octave = (label, factor) => make("button.small", {
      type: "button", "aria-label": `${label} the tempo`,
      onclick: () => this.setTempo(Number((control.value * factor).toFixed(1)), true),
    }, label);
    control.after(make("div.row.tight", {}, octave("Half", 0.5), octave("Double", 2),
      make("button.small", { type: "button", "aria-label": "Tempo as found", onclick: () => this.setTempo(null, true) }, "As found")));
    control.addEventListener("change", () => this.setTempo(Number(control.value), true));
    return whole;
  }

  sound() {
    const keep = make("input", { type: "checkbox", id: "f-keep_audio" });
    this.own = group("keep_audio", "The video’s own sound",
      make("label.tick", {}, keep, "Keep it under the music"),
      make("div.columns.kept", {},
        range("balance", "Balance", 50, "own sound", "music"),
        this.limits.duck ? make("label.tick", {}, make("input", { type: "checkbox", id: "f-duck", checked: true }),
          "Music steps back while somebody speaks") : null));
    keep.addEventListener("change", () => this.own.classList.toggle("on", keep.checked));
    return this.own;
  }

  theme() {
    if (!this.limits.theme) return null;
    const file = make("input", { type: "file", accept: ".mid,.midi,audio/*,.webm,.m4a" });
    file.addEventListener("change", () => {
      if (file.files[0]) this.on.theme(file.files[0]);
      file.value = "";
    });
    const whole = field("theme", "A tune of your own (MIDI, or a recording of you humming it)", file,
      "It becomes the melody of the first section, and returns where that returns.");
    this.tune = make("p.row.tight", { hidden: true }, make("span", { role: "status" }),
      make("button.small", { type: "button", onclick: () => this.setTheme(null) }, "Leave it out"));
    const record = make("button", { type: "button" }, "Hum it now");
    const listening = make("span.soft", { role: "status" });
    new Recorder(record, listening, {
      done: this.on.theme, wrong: (words) => complain($("error-theme"), words),
    });
    file.after(make("p.row.tight", {}, record, listening), this.tune);
    return whole;
  }

  /** Take a tune over, as the server has read it, or leave it out. */
  setTheme(theme) {
    this.tuneAsked = theme;
    this.tune.hidden = !theme;
    this.on.changed();
    if (!theme) return;
    const { name, notes, instrument, key } = theme;
    const where = key ? ` in ${key}` : "";
    this.tune.firstChild.textContent = `${name}: ${count(notes.length, "note")}${where}, played by ${instrument.toLowerCase()}`;
  }

  opener() {
    const file = make("input", { type: "file", accept: ".json,application/json" });
    file.addEventListener("change", async () => {
      if (file.files[0]) this.on.open(await file.files[0].text());
      file.value = "";
    });
    return field("settings", "Open settings (JSON file)", file, "Those that came with a take: they fill this page.");
  }

  /** Take over what was seen of a video: what it suggests, whether it has a sound. */
  suggest({ suggested }, hasSound) {
    this.setTheme(null);
    this.setTempo(null);
    this.own.hidden = !hasSound;
    for (const radio of this.root.querySelectorAll("[name=mood]")) {
      const it = radio.value !== "" && radio.value === suggested?.mood;
      radio.parentElement.querySelector(".mark").hidden = !it;
      radio.checked = suggested?.mood ? it : radio.value === "";
    }
    if (this.why && suggested?.mood) {
      this.why.textContent = `Suggested because ${suggested.why.replace(/\.$/, "")}. You can choose any other.`;
    }
    if (suggested?.genre) this.control("genre").value = suggested.genre;
    this.showBand();
  }

  /** Ask for a tempo; null leaves it to picture and mood. */
  setTempo(bpm, tell = false) {
    this.tempoAsked = bpm || null;
    if (bpm) this.control("tempo").value = bpm;
    if (tell) this.on.tempo();
  }

  /** Show the tempo (BPM) that the music will have. */
  showTempo(bpm) {
    if (!this.tempoAsked) this.control("tempo").value = Number(bpm.toFixed(1));
  }

  get mood() {
    return this.root.querySelector("[name=mood]:checked")?.value || null;
  }

  get values() {
    const text = (name) => this.control(name).value.trim() || null;
    const timbres = {};
    for (const name of Object.keys(this.limits.timbres ?? {})) {
      const chosen = text(`timbre-${name}`);
      if (chosen) timbres[name] = chosen;
    }
    const ticked = [...this.root.querySelectorAll("[name=instruments]:checked")].map((box) => box.value);
    return {
      mood: this.mood,
      genre: text("genre"), energy: this.control("energy") ? percent(this.control("energy")) : null, follow: percent(this.control("follow")),
      instruments: ticked, timbres, tempo: this.tempoAsked, key: text("key"), chords: text("chords"),
      takes: Number(text("takes")), seed: Number(text("seed") ?? this.nextSeed),
      keep_audio: !this.own.hidden && this.control("keep_audio").checked,
      balance: percent(this.control("balance")), duck: this.control("duck")?.checked ?? false,
      theme: this.tuneAsked,
    };
  }

  /** The values as far as they were given: without a number that was not typed. */
  get draft() {
    return { ...this.values, seed: this.control("seed").value };
  }

  /** Fill the form with what `values` once gave; what is missing is as it was. */
  fill(values) {
    const put = (name, value) => {
      if (value !== undefined && this.control(name)) this.control(name).value = value ?? "";
    };
    for (const radio of this.root.querySelectorAll("[name=mood]")) {
      if (values.mood !== undefined) radio.checked = radio.value === (values.mood ?? "");
    }
    for (const box of this.root.querySelectorAll("[name=instruments]")) {
      if (values.instruments !== undefined) box.checked = values.instruments?.includes(box.value) ?? true;
    }
    for (const name of ["genre", "key", "chords", "seed", "takes"]) put(name, values[name]);
    for (const name of ["energy", "follow", "balance"]) {
      if (typeof values[name] === "number") put(name, Math.round(values[name] * 100));
    }
    for (const name of Object.keys(this.limits.timbres ?? {})) put(`timbre-${name}`, values.timbres?.[name]);
    if (values.keep_audio !== undefined) this.control("keep_audio").checked = Boolean(values.keep_audio);
    if (values.theme !== undefined) this.setTheme(values.theme);
    this.showBand();
    this.own.classList.toggle("on", this.control("keep_audio").checked);
    if (values.duck !== undefined && this.control("duck")) this.control("duck").checked = values.duck;
    if (values.tempo !== undefined) this.setTempo(values.tempo);
  }

  /** Whether all fields wait while something of a take is locked: what they ask for is what that has. */
  hold(held) {
    for (const control of this.root.querySelectorAll("input, select, button")) control.disabled = held;
  }

  /** Show what is wrong beside the field that is meant; false where there is none of that name. */
  complain(name, message) {
    const place = $(`error-${name}`);
    if (!place || !this.root.contains(place)) return false;
    const input = this.root.querySelector(`[data-field="${name}"]`);
    complain(place, message, input);
    place.closest("details")?.setAttribute("open", "");
    (input.matches("fieldset") ? input.querySelector("input") : input).focus();
    return true;
  }

  clear() {
    for (const place of this.root.querySelectorAll(".error")) place.textContent = "";
    for (const input of this.root.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  }
}
