// The video, and the music that goes with it: takes, or their instruments alone, through Web Audio.
//
// The video element is the clock. The music is decoded whole, so that it begins at any sample, takes
// change at the same moment, and instruments stay together:
//
//     instrument → its level ┐
//     …                      ├→ stepping back → the music's level ┐
//     the video's own sound ─────────────────→ its level ─────────┴→ what is heard

const FADE = 0.025; // seconds, so that nothing clicks
const DRIFT = 0.08; // seconds that picture and music may be apart before the music is set again
const LONG = 240; // seconds; longer films are decoded at half the rate, or they would not fit
const RATE = 44100; // Hz
const KEPT = 3; // takes that stay decoded

/** Events it sends: "state" (playing or not), "loading" (detail: bool). */
export class Player extends EventTarget {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    super();
    this.video = video;
    this.buffers = new Map();
    this.levels = {};
    this.own = 0;
    this.music = 1;
    this.ducking = []; // [second, gain] between which the music glides while somebody speaks
    this.ducks = true;
    this.hasSound = false;
    this.take = null;
    this.parts = false;
    this.sounding = [];
    this.asked = null; // the second that the video has not reached yet
    video.muted = true; // until its sound goes through the levels here
    video.addEventListener("loadedmetadata", () => this.reach());
    video.addEventListener("seeked", () => { if (!video.seeking) this.asked = null; });
    for (const name of ["playing", "pause", "ended", "waiting", "seeking", "seeked"]) {
      video.addEventListener(name, () => this.follow());
    }
    setInterval(() => this.correct(), 400);
  }

  /** Show a video, or none (null), from its start. */
  show(url, hasSound = false) {
    this.pause();
    this.asked = null;
    this.hasSound = hasSound;
    if (url) this.video.src = url;
    else this.video.removeAttribute("src");
    this.video.load();
  }

  /** The second where the video is, or goes: a place that was asked for counts before it is reached. */
  get time() {
    return this.asked ?? this.video.currentTime;
  }

  get playing() {
    return !this.video.paused && !this.video.ended;
  }

  /** Choose what is heard: a take {key, mix (URL), stems ({name: URL}), duration}, or null. */
  async choose(take) {
    this.take = take;
    this.level();
    if (!take) return this.silence();
    const ready = await this.load();
    if (ready && this.take === take) this.follow();
  }

  /** Whether instruments sound one by one, so that each has its level. */
  async mixed(parts) {
    if (this.parts === parts) return;
    this.parts = parts;
    if (this.take && (await this.load())) this.follow();
  }

  setLevel(name, gain) {
    this.levels[name] = gain;
    const now = this.context?.currentTime ?? 0;
    for (const { part, gain: node } of this.sounding) {
      if (part === name) node.gain.setTargetAtTime(gain, now, FADE);
    }
  }

  /** Level of the video's own sound under a take, 0 … 1. */
  setOwn(gain) {
    this.own = gain;
    this.level();
  }

  /** Level of all the music. */
  setMusic(gain) {
    this.music = gain;
    this.level();
  }

  /** How the music steps back, [[second, gain], …], and whether it does. */
  setDucking(points, ducks) {
    Object.assign(this, { ducking: points, ducks });
    this.level();
  }

  /** Whether the music steps back: under a sound that is heard. */
  get steps() {
    return this.ducks && this.own > 0 && this.ducking.length > 0;
  }

  /** Let the levels be what is asked. */
  level() {
    if (!this.context) return;
    // Without music the video is heard as it is.
    const own = this.take ? this.own : 1;
    if (this.hasSound && own > 0) this.tap();
    const now = this.context.currentTime;
    this.ownGain?.gain.setTargetAtTime(own, now, FADE);
    this.musicGain.gain.setTargetAtTime(this.music, now, FADE);
    if (this.sounding.length) this.stepBack(now);
  }

  /** Lead the video's own sound through a level. */
  tap() {
    if (this.ownGain) return;
    this.ownGain = this.context.createGain();
    this.ownGain.gain.value = 0;
    this.context.createMediaElementSource(this.video).connect(this.ownGain).connect(this.context.destination);
    this.video.muted = false;
  }

  open() {
    if (this.context) return;
    this.context = new AudioContext();
    this.musicGain = this.context.createGain();
    this.duckGain = this.context.createGain();
    this.duckGain.connect(this.musicGain).connect(this.context.destination);
    this.level();
  }

  async play() {
    this.open();
    await this.context.resume();
    if (this.take) await this.load();
    if (this.video.ended) this.seek(0);
    await this.video.play();
  }

  pause() {
    this.video.pause();
  }

  seek(second) {
    this.asked = Math.max(second, 0);
    this.reach();
  }

  /** Go where was asked for, as soon as the video knows how long it is. */
  reach() {
    const { video } = this;
    if (this.asked === null || video.readyState === HTMLMediaElement.HAVE_NOTHING) return;
    video.currentTime = Math.max(Math.min(this.asked, video.duration - 0.01), 0);
  }

  /** Have the sound of the take at hand; false where another was chosen meanwhile. */
  async load() {
    const { take } = this;
    const parts = this.parts ? take.stems : { "": take.mix };
    const key = `${take.key}:${this.parts}`;
    if (!this.buffers.has(key)) {
      const rate = take.duration > LONG ? RATE / 2 : RATE;
      const all = Object.entries(parts).map(async ([part, url]) => [part, await decode(url, rate)]);
      this.buffers.set(key, Promise.all(all));
      if (this.buffers.size > KEPT) this.buffers.delete(this.buffers.keys().next().value);
    }
    this.dispatchEvent(new CustomEvent("loading", { detail: true }));
    try {
      const found = await this.buffers.get(key);
      if (this.take === take) this.ready = found;
    } catch (error) {
      this.buffers.delete(key);
      throw error;
    } finally {
      this.dispatchEvent(new CustomEvent("loading", { detail: false }));
    }
    return this.take === take;
  }

  /** Let the music do what the video does. */
  follow() {
    const { video } = this;
    const runs = this.playing && !video.seeking && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
    if (runs && this.take && this.context) this.sound();
    else this.silence();
    this.dispatchEvent(new CustomEvent("state"));
  }

  /** Begin the music where the video is. */
  sound() {
    this.silence();
    if (!this.ready) return;
    const { context } = this;
    const at = context.currentTime + 0.01;
    const offset = this.time + 0.01;
    this.began = at - offset;
    for (const [part, buffer] of this.ready) {
      if (offset >= buffer.duration) continue;
      const source = context.createBufferSource();
      const gain = context.createGain();
      source.buffer = buffer;
      gain.gain.setValueAtTime(0, at);
      gain.gain.linearRampToValueAtTime(this.levels[part] ?? 1, at + FADE);
      source.connect(gain).connect(this.duckGain);
      source.start(at, offset);
      this.sounding.push({ part, source, gain });
    }
    this.stepBack(at);
  }

  /** From a time of the context's on, let the music step back as it does from that place of the video on. */
  stepBack(at) {
    const { gain } = this.duckGain;
    const from = at + FADE - this.began;
    gain.cancelScheduledValues(at);
    gain.setValueAtTime(gain.value, at);
    gain.linearRampToValueAtTime(this.steps ? gainAt(this.ducking, from) : 1, at + FADE);
    if (!this.steps) return;
    for (const [second, level] of this.ducking) {
      if (second > from) gain.linearRampToValueAtTime(level, this.began + second);
    }
  }

  silence() {
    if (!this.context) return;
    const now = this.context.currentTime;
    for (const { source, gain } of this.sounding) {
      gain.gain.cancelScheduledValues(now);
      gain.gain.setTargetAtTime(0, now, FADE / 3);
      source.stop(now + 2 * FADE);
    }
    this.sounding = [];
  }

  /** Set the music again where it has drifted from the picture. */
  correct() {
    if (!this.sounding.length || !this.playing) return;
    const heard = this.context.currentTime - this.began;
    if (Math.abs(heard - this.time) > DRIFT) this.sound();
  }
}

/** The gain at a second, between points that are glided between. */
function gainAt(points, second) {
  const after = points.findIndex(([time]) => time > second);
  if (after <= 0) return after ? points.at(-1)[1] : points[0][1];
  const [[start, from], [end, to]] = [points[after - 1], points[after]];
  return from + ((to - from) * (second - start)) / (end - start);
}

async function decode(url, rate) {
  const response = await fetch(url);
  if (!response.ok) throw new Error("The sound could not be fetched.");
  return new OfflineAudioContext(2, 1, rate).decodeAudioData(await response.arrayBuffer());
}
