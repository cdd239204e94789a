// What of a take is locked: stretches of seconds that stay when the rest is made anew. Each take has
// its own; one that was made of another begins with the locks of that.

export class Locks {
  /** @param {Session} session whose takes they are of */
  constructor(session) {
    this.session = session;
  }

  /** What is locked in a take, [[from, to], …]; nothing in a preview, or in none. */
  of(take) {
    if (!take || take.preview) return [];
    return this.session.recall(`locked ${take.id}`) ?? take.settings?.locked ?? [];
  }

  put(take, stretches) {
    this.session.keepAside(`locked ${take.id}`, stretches);
  }

  /** Lock a stretch, in place of what of it was locked; or unlock it. */
  set(take, [from, to], locked) {
    const others = this.of(take).flatMap(([start, end]) => [[start, Math.min(end, from)], [Math.max(start, to), end]]);
    const stretches = [...others.filter(([start, end]) => end > start), ...(locked ? [[from, to]] : [])];
    this.put(take, stretches.sort((a, b) => a[0] - b[0]));
  }

  /**
   * The take of which the rest is made anew: this one, or that which it was made of to keep the same,
   * so that trying again and again asks for no more than trying once.
   */
  base(take, takes) {
    const asked = JSON.stringify(this.of(take));
    let base = take;
    while (JSON.stringify(base.settings.locked ?? []) === asked) {
      const before = takes.find(({ id }) => id === base.of);
      if (!before || before.preview) break;
      base = before;
    }
    return base;
  }
}
