// What is being done: a sentence, the share that is done, the time left, the place in the queue, Stop.

import { $, make } from "./dom.js";
import { count, span } from "./words.js";

export class WorkPanel {
  /** @param {() => void} stop called by its button */
  constructor(stop) {
    this.element = $("work-template").content.firstElementChild.cloneNode(true);
    this.doing = this.element.querySelector(".doing");
    this.left = this.element.querySelector(".left");
    this.bar = this.element.querySelector("progress");
    this.element.querySelector(".stop").addEventListener("click", stop);
  }

  /** Show work (see the server's state) in a place of the page; null hides it. */
  show(work, slot) {
    if (!work) return this.element.remove();
    if (this.element.parentElement !== slot) slot.replaceChildren(this.element);
    const waits = work.place > 0;
    const words = waits ? `${count(work.place, "job")} before yours` : work.doing;
    if (this.doing.textContent !== words) this.doing.textContent = words;
    if (waits || !(work.share > 0)) this.bar.removeAttribute("value");
    else this.bar.value = work.share;
    this.left.textContent = waits ? "It begins by itself." : this.remaining(work);
  }

  remaining({ share, left_s: left }) {
    const done = share > 0 ? `${Math.floor(100 * share)} %` : "";
    return [done, left > 1 ? `about ${span(left)} left` : ""].filter(Boolean).join(", ");
  }
}

/** A note in place of work, such as "Stopped." */
export function note(slot, words) {
  slot.replaceChildren(...(words ? [make("p.soft", { role: "status" }, words)] : []));
}
