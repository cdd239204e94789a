// The passage that is selected: on the timeline, and as bars that can be typed.

import { $, complain } from "./dom.js";
import { clock } from "./words.js";

export class Passage {
  /**
   * @param {Timeline} timeline on which it is selected
   * @param {{bars: () => number[], time: () => number, end: () => number, heard: () => boolean,
   *   again: (from: number, to: number) => void}} on seconds at which bars begin, where the video is and
   *   ends, whether a take is heard, and what makes bars of it again
   */
  constructor(timeline, on) {
    Object.assign(this, { timeline, on });
    timeline.addEventListener("passage", ({ detail }) => this.show(detail));
    $("again").addEventListener("click", () => this.again());
    $("from-here").addEventListener("click", () => this.edge("from-bar"));
    $("to-here").addEventListener("click", () => this.edge("to-bar"));
    for (const id of ["from-bar", "to-bar"]) $(id).addEventListener("change", () => this.typed());
  }

  /** Say how many bars there are. */
  bound() {
    for (const id of ["from-bar", "to-bar"]) $(id).max = this.on.bars().length;
  }

  show(passage) {
    if (passage) {
      const bars = this.on.bars();
      const last = bars.findLastIndex((bar) => bar < passage[1] - 1e-3);
      $("from-bar").value = bars.findIndex((bar) => bar >= passage[0] - 1e-3) + 1;
      $("to-bar").value = last + 1;
      if (this.on.heard()) $("passage").open = true;
    }
    $("passage-time").textContent = passage ? `${clock(passage[0], true)} to ${clock(passage[1], true)}` : "";
  }

  edge(id) {
    const bar = this.on.bars().findLastIndex((start) => start <= this.on.time() + 1e-6);
    $(id).value = bar + 1;
    this.typed();
  }

  get typedBars() {
    return ["from-bar", "to-bar"].map((id) => Number($(id).value));
  }

  typed() {
    const [from, to] = this.typedBars;
    const bars = this.on.bars();
    if (!(from >= 1 && to >= from && to <= bars.length)) return;
    this.timeline.setPassage([bars[from - 1], bars[to] ?? this.on.end()]);
  }

  again() {
    const [from, to] = this.typedBars;
    this.complain("");
    if (!this.on.heard()) return this.complain("Choose the take to change, under “Hear”.");
    if (!from || !to) return this.complain("Select the passage first.", from ? "to-bar" : "from-bar");
    return this.on.again(from, to);
  }

  complain(message, id = null) {
    complain($("error-passage"), message, id && $(id));
  }
}
