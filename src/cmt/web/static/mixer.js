// The mixer: a fader for each instrument, for all the music and for the video's own sound.

import { $, make } from "./dom.js";
import { INSTRUMENTS } from "./drawing.js";

const MUSIC = "All music";
const OWN = "Original sound";

export class Mixer {
  /** @param {Player} player @param {(name: string, gain: number) => void} changed an instrument's level is another */
  constructor(player, changed) {
    Object.assign(this, { player, changed });
    this.faders = new Map();
    this.usual = {};
  }

  /** Draw the faders; that of the original sound where there is one. */
  draw(hasSound) {
    this.faders.clear();
    this.made = this.duck = null;
    const rows = INSTRUMENTS.map((name) => this.fader(name, 150, (gain) => {
      this.player.setLevel(name, gain);
      this.changed(name, gain);
    }));
    if (hasSound) {
      rows.unshift(this.fader(OWN, 100, (gain) => this.player.setOwn(gain)), this.fader(MUSIC, 100, (gain) => this.player.setMusic(gain)));
      rows.push(this.ducker());
    }
    $("faders").replaceChildren(...rows,
      make("button.small", { type: "button", onclick: () => this.reset() }, "All as they were"));
  }

  fader(name, most, set) {
    const id = `fader-${name.toLowerCase().replace(" ", "-")}`;
    const shown = make("output", { for: id });
    const control = make("input", { id, type: "range", min: 0, max: most, step: 5 });
    const move = () => {
      shown.textContent = control.value === "0" ? "off" : `${control.value} %`;
      set(control.value / 100);
    };
    control.addEventListener("input", move);
    this.faders.set(name, { control, move });
    control.value = 100;
    shown.textContent = "100 %";
    const dot = INSTRUMENTS.includes(name) ? make(`span.dot.${name.toLowerCase()}`) : null;
    return make("div.fader", {}, make("label", { for: id }, dot, name), control, shown);
  }

  ducker() {
    this.duck = make("input", { type: "checkbox", id: "mixer-duck", onchange: () => this.step() });
    this.spoken = make("span.soft");
    return make("p.row.tight", {}, make("label.tick", {}, this.duck, "Music steps back while somebody speaks"), this.spoken);
  }

  step() {
    this.player.setDucking(this.points, this.duck.checked);
  }

  /**
   * A take is heard: where it was made in another way, the levels are those of its film.
   * @param {{keep_audio: boolean, balance: number, duck: boolean}} settings of it
   * @param {number[][]|null} points how its music steps back
   */
  follow({ keep_audio: kept, balance = 0.5, duck }, points) {
    if (!this.faders.has(OWN)) return;
    this.points = points ?? [];
    const spoken = this.points.some(([, gain]) => gain < 1);
    this.duck.disabled = !spoken;
    this.spoken.textContent = spoken ? "" : "Nobody is heard speaking in this film.";
    const made = JSON.stringify([kept, balance, duck]);
    if (this.made !== made) {
      this.made = made;
      this.usual = { [OWN]: kept ? 100 : 0, [MUSIC]: kept ? Math.round(100 * balance) : 100 };
      this.ducks = duck !== false;
      this.put(OWN);
      this.put(MUSIC);
      this.duck.checked = this.ducks;
    }
    this.step();
  }

  put(name) {
    const { control, move } = this.faders.get(name);
    control.value = this.usual[name] ?? 100;
    move();
  }

  reset() {
    for (const name of this.faders.keys()) this.put(name);
    if (!this.duck) return;
    this.duck.checked = this.ducks;
    this.step();
  }
}
