// A tune hummed into the microphone: a button that begins and ends it.

import { clock } from "./words.js";

const LONGEST = 60; // seconds; a section is no longer
const UNUSABLE = "The microphone cannot be used here. Record the tune with your phone, and choose the file.";
// Why there is no microphone, by the name of what the browser throws.
const WHY = {
  NotAllowedError: "The browser does not let this page use the microphone. Allow it beside the page’s address, and press again.",
  NotFoundError: "No microphone is found. Connect one, or record the tune with your phone and choose the file.",
  NotReadableError: "The microphone is used by another program. Close that, and press again.",
  Insecure: "Browsers lend the microphone to pages on this computer or at https:// only. Record the tune with your phone, and choose the file.",
};

export class Recorder {
  /**
   * @param {HTMLButtonElement} button
   * @param {HTMLElement} status where it tells that it listens
   * @param {{done: (file: File) => void, wrong: (words: string) => void}} on
   */
  constructor(button, status, on) {
    Object.assign(this, { button, status, on });
    this.words = button.textContent;
    button.addEventListener("click", () => (this.recorder ? this.stop() : this.begin()));
  }

  async begin() {
    this.on.wrong("");
    this.button.disabled = true;
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "Insecure");
      // What makes speech clear takes humming for noise.
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: true };
      this.listen(await navigator.mediaDevices.getUserMedia({ audio }));
    } catch (error) {
      this.on.wrong(WHY[error.name] ?? UNUSABLE);
    } finally {
      this.button.disabled = false;
    }
  }

  listen(stream) {
    const parts = [];
    const recorder = new MediaRecorder(stream);
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    recorder.addEventListener("stop", () => {
      for (const track of stream.getTracks()) track.stop();
      this.on.done(new File(parts, "Hummed tune", { type: recorder.mimeType }));
    });
    recorder.start();
    this.recorder = recorder;
    this.began = performance.now();
    this.status.textContent = "Listening: hum, sing or whistle one tune, with nothing else to be heard.";
    this.show();
    this.timer = setInterval(() => this.show(), 250);
  }

  show() {
    const seconds = (performance.now() - this.began) / 1000;
    this.button.textContent = `Stop recording (${clock(seconds)})`;
    if (seconds >= LONGEST) this.stop();
  }

  stop() {
    clearInterval(this.timer);
    this.recorder.stop();
    this.recorder = null;
    this.status.textContent = "";
    this.button.textContent = this.words;
  }
}
