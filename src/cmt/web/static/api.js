// What the page asks of its server. All of it is JSON, but for the files.

/** A request that was refused: `field` names what is wrong, where the server knows it. */
export class Refused extends Error {
  constructor(message, field = null, status = 0) {
    super(message);
    this.field = field;
    this.status = status;
  }
}

const LOST = "The page’s server does not answer. Is it still running? It goes on by itself once it does.";

async function answer(response) {
  const text = await response.text();
  let body = {};
  try {
    body = text ? JSON.parse(text) : {};
  } catch {
    body = { message: text.slice(0, 200) };
  }
  if (response.ok) return body;
  throw refusal(body, response.status);
}

function refusal(body, status) {
  return new Refused(body.message ?? "That did not work.", body.field ?? null, status);
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused(LOST);
  }
  return answer(response);
}

const json = (body) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

export const limits = () => ask("/api/limits");

/** The work of one visitor, at the address that the link of the page keeps. */
export class Session {
  constructor(token) {
    this.token = token;
    this.aside = new Map();
    this.path = `/api/sessions/${encodeURIComponent(token)}`;
  }

  static async open() {
    return new Session((await ask("/api/sessions", { method: "POST" })).session);
  }

  /** The one whose token stands after "#s=" in the address, or null. */
  static kept() {
    const found = /^#s=([\w-]+)$/.exec(location.hash);
    return found ? new Session(found[1]) : null;
  }

  keep() {
    history.replaceState(null, "", `#s=${this.token}`);
  }

  url(...parts) {
    return [this.path, ...parts.map(encodeURIComponent)].join("/");
  }

  state() {
    return ask(this.path);
  }

  /** What is drawn of the video: at a tempo, else at that of a mood, else at its own. */
  timeline({ tempo, mood } = {}) {
    const asked = new URLSearchParams(Object.entries({ tempo, mood }).filter(([, value]) => value));
    return ask(`${this.url("timeline")}?${asked}`);
  }

  take(id) {
    return ask(this.url("takes", id));
  }

  file(id, ...kind) {
    return this.url("takes", id, "files", ...kind);
  }

  compose(body) {
    return ask(this.url("compose"), json(body));
  }

  again(id, body) {
    return ask(this.url("takes", id, "again"), json(body));
  }

  revise(id, body) {
    return ask(this.url("takes", id, "revise"), json(body));
  }

  settings(text) {
    return ask(this.url("settings"), { ...json({}), body: text });
  }

  sample() {
    return ask(this.url("sample"), { method: "POST" });
  }

  analyse() {
    return ask(this.url("analyse"), { method: "POST" });
  }

  stop() {
    return ask(this.url("stop"), { method: "POST" });
  }

  theme(file) {
    return ask(`${this.url("theme")}?name=${encodeURIComponent(file.name)}`, { method: "PUT", body: file });
  }

  /** Keep something of this session's in the browser, over a reload where it keeps things. */
  keepAside(name, content) {
    this.aside.set(name, content);
    try {
      localStorage.setItem(`${name} ${this.token}`, JSON.stringify(content));
    } catch {
      // a reload will not find it
    }
  }

  /** What was kept aside, or null. */
  recall(name) {
    if (this.aside.has(name)) return this.aside.get(name);
    try {
      return JSON.parse(localStorage.getItem(`${name} ${this.token}`));
    } catch {
      return null;
    }
  }

  remove() {
    try {
      for (const key of Object.keys(localStorage)) if (key.endsWith(this.token)) localStorage.removeItem(key);
    } catch {
      // nothing was kept
    }
    return ask(this.path, { method: "DELETE" });
  }

  /**
   * Send a video. `fetch` tells no progress of what is sent; XMLHttpRequest does.
   * @param {(share: number) => void} progress
   * @returns {{done: Promise<void>, stop: () => void}}
   */
  upload(file, progress) {
    const request = new XMLHttpRequest();
    const done = new Promise((resolve, reject) => {
      request.upload.onprogress = (event) => progress(event.loaded / event.total);
      request.onerror = () => reject(new Refused(LOST));
      request.onabort = () => reject(new Refused("Stopped.", "video"));
      request.onload = () => {
        if (request.status < 300) return resolve();
        let body = {};
        try {
          body = JSON.parse(request.responseText);
        } catch {
          // a sentence will do
        }
        reject(refusal(body, request.status));
      };
    });
    request.open("PUT", `${this.url("video")}?name=${encodeURIComponent(file.name)}`);
    request.send(file);
    return { done, stop: () => request.abort() };
  }

  /** Be told of each change of the state; returns what ends that. */
  follow(changed, lost) {
    const events = new EventSource(this.url("events"));
    events.addEventListener("state", (event) => changed(JSON.parse(event.data)));
    events.addEventListener("error", () => lost(events.readyState === EventSource.CLOSED));
    return () => events.close();
  }
}
