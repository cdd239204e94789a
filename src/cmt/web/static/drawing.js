// The lanes of the timeline, from top to bottom: ruler, sections, thumbnails, hits, speed, the piano
// roll, drums. Each is drawn by a function of (context, scene, lane); `scene` says what there is and
// which part of it is seen.

import { clock, fullness, kindName } from "./words.js";

export const INSTRUMENTS = ["Drums", "Piano", "Guitar", "Bass", "Strings"];
export const HIT_KINDS = ["cut", "flash", "impact", "stop", "turn", "added"];
const DRUMS = "Drums";

/** Heights in CSS pixels; on narrow pages there is less room. */
const HEIGHTS = {
  wide: { ruler: 20, sections: 30, pictures: 60, hits: 28, speed: 44, roll: 168, drums: 40 },
  narrow: { ruler: 20, sections: 30, pictures: 44, hits: 28, speed: 36, roll: 136, drums: 34 },
};
const GAP = 5;
const NARROW = 560;
const GUTTER = 52; // pixels left of second 0, for the lanes' names; narrow pages have none
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600]; // seconds between ruler marks
const MARK_ROOM = 58; // pixels
const LOCK_ROOM = 17; // pixels that a padlock takes of a section's name

/** Where each lane is, and how high all of them are; the piano roll's are there with music only. */
export function layout(width, music) {
  const heights = HEIGHTS[width < NARROW ? "narrow" : "wide"];
  const lanes = {};
  let top = 0;
  for (const [name, height] of Object.entries(heights)) {
    if (!music && (name === "roll" || name === "drums")) continue;
    lanes[name] = { top, height, bottom: top + height };
    top += height + GAP;
  }
  return { lanes, height: top, gutter: width < NARROW ? 0 : GUTTER };
}

/** The page's colours, as style.css has them for light and dark. */
export function palette(element) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["card", "ink", "soft", "line", "lane", "accent", "lit", "speed"];
  const colours = Object.fromEntries(names.map((name) => [name, colour(name)]));
  for (const name of INSTRUMENTS) colours[name] = colour(name.toLowerCase());
  for (const kind of HIT_KINDS) colours[kind] = colour(`hit-${kind}`);
  return colours;
}

/** Draw all lanes that do not move with the playhead. */
export function drawBase(context, scene) {
  const { lanes, colours, width, height } = scene;
  context.clearRect(0, 0, width, height);
  for (const lane of Object.values(lanes)) {
    context.fillStyle = colours.lane;
    context.beginPath();
    context.roundRect(0, lane.top, width, lane.height, 4);
    context.fill();
  }
  drawPictures(context, scene, lanes.pictures);
  drawBars(context, scene);
  drawSpeed(context, scene, lanes.speed);
  if (lanes.roll) drawMusic(context, scene);
  drawHits(context, scene, lanes.hits);
  drawSections(context, scene, lanes.sections);
  drawRuler(context, scene, lanes.ruler);
  drawNames(context, scene);
}

/** Draw what moves: the passage that is selected, and the playhead. */
export function drawOver(context, scene, playhead, passage) {
  const { colours, gutter, width, height, lanes, x } = scene;
  context.clearRect(0, 0, width, height);
  context.save();
  context.beginPath();
  context.rect(gutter - 6, 0, width, height);
  context.clip();
  if (passage) {
    const [left, right] = passage.map(x);
    context.fillStyle = colours.accent;
    context.globalAlpha = 0.16;
    context.fillRect(left, lanes.pictures.top, right - left, height);
    context.globalAlpha = 1;
    context.fillRect(left - 1, lanes.pictures.top, 2, height);
    context.fillRect(right - 1, lanes.pictures.top, 2, height);
  }
  const at = x(playhead);
  context.fillStyle = colours.ink;
  context.fillRect(at - 1, lanes.ruler.top + 6, 2, height);
  context.beginPath();
  context.moveTo(at - 6, lanes.ruler.top + 4);
  context.lineTo(at + 6, lanes.ruler.top + 4);
  context.lineTo(at, lanes.ruler.top + 13);
  context.fill();
  context.restore();
}

function drawRuler(context, { colours, width, x, second, perSecond }, lane) {
  const step = STEPS.find((one) => one * perSecond >= MARK_ROOM) ?? STEPS.at(-1);
  context.clearRect(0, lane.top, width, lane.height);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = colours.soft;
  for (let k = Math.max(0, Math.floor(second(0) / step)); k * step <= second(width); k += 1) {
    const at = x(k * step);
    context.fillRect(at, lane.bottom - 5, 1, 5);
    context.fillText(clock(k * step, step < 1), at + 8, lane.top + lane.height / 2);
  }
}

function drawSections(context, { colours, width, x, edits, chosen }, lane) {
  edits.sections.forEach((section, index) => {
    const left = x(edits.start(index)) + 1;
    const right = x(edits.end(index)) - 1;
    if (right < 0 || left > width) return;
    const selected = index === chosen;
    context.beginPath();
    context.roundRect(left, lane.top + 1, Math.max(right - left, 2), lane.height - 2, 6);
    context.fillStyle = colours.card;
    context.fill();
    context.globalAlpha = selected ? 1 : 0.1 + 0.22 * section.energy;
    context.fillStyle = colours.accent;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = colours.accent;
    context.lineWidth = 1;
    context.setLineDash(section.energy === 0 ? [4, 3] : []);
    context.stroke();
    context.setLineDash([]);
    const locked = edits.isLocked(index);
    const room = locked ? LOCK_ROOM : 0;
    const words = sectionWords(section, index, right - left - room);
    context.save();
    context.clip();
    context.fillStyle = context.strokeStyle = selected ? colours.lit : colours.ink;
    const from = Math.max(left, 0) + 9;
    if (locked) padlock(context, from + 5, lane.top + lane.height / 2);
    context.font = "600 12px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.fillText(words, from + room, lane.top + lane.height / 2 + 0.5);
    context.restore();
  });
}

/** A padlock, closed, around a point. */
function padlock(context, x, y) {
  context.fillRect(x - 5, y - 1, 10, 7);
  context.lineWidth = 1.6;
  context.beginPath();
  context.arc(x, y - 1.5, 3.2, Math.PI, 0);
  context.stroke();
}

/** As much of a section's name as there is room for. */
function sectionWords(section, index, room) {
  const number = String(index + 1);
  if (room < 76) return number;
  const said = section.energy === 1 ? "" : ` · ${fullness(section.energy)}`;
  return room < 110 ? number + said : `Section ${number}${said}`;
}

function drawPictures(context, { duration, pictures, strip, width, x, perSecond }, lane) {
  if (!strip?.complete || !strip.naturalWidth || !pictures.times.length) return;
  const count = pictures.times.length;
  const across = strip.naturalWidth / count;
  const tile = Math.max(8, (lane.height * across) / strip.naturalHeight);
  const end = x(duration);
  context.save();
  context.beginPath();
  context.roundRect(Math.max(x(0), -8), lane.top, Math.min(end, width + 8) - Math.max(x(0), -8), lane.height, 4);
  context.clip();
  const zero = x(0);
  for (let k = Math.max(0, Math.floor(-zero / tile)); zero + k * tile < Math.min(width, end); k += 1) {
    const middle = ((k + 0.5) * tile) / perSecond;
    const index = nearest(pictures.times, Math.min(middle, duration));
    context.drawImage(strip, index * across, 0, across, strip.naturalHeight,
      zero + k * tile, lane.top, tile, lane.height);
  }
  context.restore();
}

function nearest(times, second) {
  let best = 0;
  for (let k = 1; k < times.length; k += 1) {
    if (Math.abs(times[k] - second) < Math.abs(times[best] - second)) best = k;
  }
  return best;
}

function drawBars(context, { bars, colours, height, lanes, perSecond, width, x, duration }) {
  const room = bars.length > 1 ? (perSecond * duration) / bars.length : Infinity;
  const every = room >= 7 ? 1 : 2 ** Math.ceil(Math.log2(7 / room));
  context.fillStyle = colours.line;
  bars.forEach((bar, index) => {
    const at = x(bar);
    if (index % every || at < 0 || at > width) return;
    context.fillRect(at, lanes.speed.top, 1, height - lanes.speed.top - GAP);
  });
}

function drawSpeed(context, { colours, speed, width, x }, lane) {
  const most = Math.max(...speed.map(([, value]) => value), 1e-6);
  const points = speed.filter(([time]) => x(time) > -20 && x(time) < width + 20);
  if (points.length < 2) return;
  const height = (value) => lane.bottom - 1 - (Math.min(value / most, 1) * (lane.height - 6));
  context.beginPath();
  points.forEach(([time, value], k) => context[k ? "lineTo" : "moveTo"](x(time), height(value)));
  context.strokeStyle = colours.speed;
  context.lineWidth = 1.25;
  context.stroke();
  context.lineTo(x(points.at(-1)[0]), lane.bottom);
  context.lineTo(x(points[0][0]), lane.bottom);
  context.globalAlpha = 0.2;
  context.fillStyle = colours.speed;
  context.fill();
  context.globalAlpha = 1;
}

function drawHits(context, scene, lane) {
  const { colours, edits, height, lanes, width, x, pointedHit } = scene;
  for (const hit of edits.hits) {
    const at = x(hit.second);
    if (at < -10 || at > width + 10) continue;
    context.globalAlpha = hit.kept ? 0.3 : 0;
    context.fillStyle = colours[hit.kind] ?? colours.ink;
    if (lanes.roll) context.fillRect(at - 0.5, lanes.roll.top, 1, height - lanes.roll.top - GAP);
    context.globalAlpha = 1;
    const size = 4 + 3 * Math.min(Math.max(hit.strength, 0), 1) + (hit.id === pointedHit ? 2 : 0);
    mark(context, hit.kind, at, lane.top + lane.height / 2, size);
    context.lineWidth = 1.5;
    context.strokeStyle = hit.kept ? colours.lane : colours.soft;
    if (hit.kept) context.fill();
    context.stroke();
  }
}

/** The outline of a hit's mark: each kind has a shape of its own. */
export function mark(context, kind, x, y, size) {
  const corners = {
    cut: [[0, -1.15], [0.85, 0], [0, 1.15], [-0.85, 0]],
    impact: [[-1, -0.9], [1, -0.9], [0, 1]],
    stop: [[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]],
    flash: star(5, 0.45),
    added: star(4, 0.4),
  }[kind];
  context.beginPath();
  if (!corners) context.arc(x, y, size * 0.85, 0, 2 * Math.PI);
  else corners.forEach(([dx, dy], k) => context[k ? "lineTo" : "moveTo"](x + size * dx, y + size * dy));
  context.closePath();
}

function star(points, inner) {
  return Array.from({ length: 2 * points }, (_, k) => {
    const radius = k % 2 ? inner : 1.2;
    const angle = (Math.PI * k) / points - Math.PI / 2;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

/** Piano roll and drums: each note in its instrument's colour. */
function drawMusic(context, { colours, lanes, music, muted, width, x }) {
  const pitched = music.notes.filter((note) => note[3] !== DRUMS);
  const pitches = pitched.map((note) => note[2]);
  const low = Math.min(...pitches, 60) - 2;
  const high = Math.max(...pitches, 60) + 2;
  const row = lanes.roll.height / (high - low);
  const sounds = [...new Set(music.notes.filter((n) => n[3] === DRUMS).map((n) => n[2]))].sort((a, b) => a - b);
  const drumRow = lanes.drums.height / (sounds.length + 1);
  const thick = Math.min(Math.max(row * 0.9, 2), 7);
  for (const [start, end, pitch, name] of music.notes) {
    const left = x(start);
    const right = x(end);
    if (right < 0 || left > width) continue;
    context.globalAlpha = muted.has(name) ? 0.2 : 1;
    context.fillStyle = colours[name] ?? colours.ink;
    if (name === DRUMS) {
      const y = lanes.drums.bottom - drumRow * (sounds.indexOf(pitch) + 1);
      context.fillRect(left, y - 1.5, 3, 3);
    } else {
      const y = lanes.roll.bottom - row * (pitch - low);
      context.fillRect(left, y - thick / 2, Math.max(right - left - 0.75, 1.5), thick);
    }
  }
  context.globalAlpha = 1;
}

/** What each lane shows, left of all that scrolls; on narrow pages in its corner. */
function drawNames(context, { colours, gutter, height, lanes }) {
  const names = { sections: "Sections", hits: "Hits", speed: "Motion", roll: "Music", drums: "Drums" };
  context.textBaseline = "middle";
  context.font = gutter ? "11px system-ui, sans-serif" : "10px system-ui, sans-serif";
  context.fillStyle = colours.card;
  if (gutter) context.fillRect(0, 0, gutter - 3, height);
  for (const [lane, name] of Object.entries(names)) {
    if (!lanes[lane]) continue;
    const { top, bottom } = lanes[lane];
    context.fillStyle = colours.soft;
    if (gutter) context.fillText(name, 0, (top + bottom) / 2, gutter - 6);
    else if (lane !== "sections") nameInside(context, colours, name, top);
  }
}

/** A lane's name, over what is drawn there. */
function nameInside(context, colours, name, top) {
  context.fillStyle = colours.lane;
  context.globalAlpha = 0.8;
  context.fillRect(2, top + 1, context.measureText(name).width + 6, 12);
  context.globalAlpha = 1;
  context.fillStyle = colours.soft;
  context.fillText(name, 5, top + 7.5);
}

/** What stands at a point of the hits' lane, for people: "Cut at 0:12.3". */
export function hitWords(hit) {
  const name = kindName(hit.kind);
  return `${name.charAt(0).toUpperCase()}${name.slice(1)} at ${clock(hit.second, true)}`;
}
