// Times and counts in words.

/** 83.2 → "1:23"; with tenths "1:23.2". */
export function clock(seconds, tenths = false) {
  const whole = tenths ? Math.round(seconds * 10) / 10 : Math.floor(seconds + 0.05);
  const minutes = Math.floor(whole / 60);
  const rest = whole - 60 * minutes;
  const text = tenths ? rest.toFixed(1).padStart(4, "0") : String(rest).padStart(2, "0");
  return `${minutes}:${text}`;
}

/** A time that one waits for: "12 seconds", "3 minutes". */
export function span(seconds) {
  if (seconds < 90) return count(Math.max(1, Math.round(seconds)), "second");
  return count(Math.round(seconds / 60), "minute");
}

/** A size of files: "300 MB", "5 GB". */
export const megabytes = (size) => (size < 1000 ? `${size} MB` : `${Number((size / 1000).toFixed(1))} GB`);

/** "1 cut", "3 cuts"; irregular plurals are given. */
export function count(number, noun, plural = noun + "s") {
  return `${number} ${number === 1 ? noun : plural}`;
}

/** "a, b and c" */
export function list(parts) {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** What hits are called: one of a kind, many, and what it means. */
export const KINDS = {
  cut: ["cut", "cuts", "a new shot"],
  flash: ["flash", "flashes", "a sudden light"],
  impact: ["impact", "impacts", "motion that is struck or lost at once"],
  stop: ["stop", "stops", "motion that comes to rest"],
  turn: ["turn", "turns", "motion that turns round"],
  added: ["added hit", "added hits", "a hit of yours"],
};

/** A kind's name; kinds that are not known keep their own. */
export const kindName = (kind) => KINDS[kind]?.[0] ?? kind;

/** How full a section is, of its energy 0 … 2. */
export function fullness(energy) {
  if (energy === 0) return "rest";
  if (energy < 0.6) return "sparse";
  if (energy < 0.9) return "lighter";
  if (energy <= 1.1) return "as the picture";
  if (energy <= 1.5) return "fuller";
  return "very full";
}
