/** How much a machine may be interested in. Times in ms. */
export interface InterestLimits {
  /** Services kept, configured ones apart. Default 4,096. */
  readonly kept: number;
  /** Names asked for that nobody has confirmed; more push the oldest out. Default 256. */
  readonly asked: number;
  /** New names a second, after a burst of `asked`; more are refused, so that garbage costs the control plane little. Default 50. */
  readonly asksPerSecond: number;
  /** How long a name that does not exist stays asked for: meanwhile it is told of when it appears, and nobody asks again. Default 30 s. */
  readonly absentMs: number;
  /** Neither looked up nor connected to for so long: let go. Default 24 h. */
  readonly forgetMs: number;
}

export const defaultInterestLimits: InterestLimits = {
  kept: 4_096,
  asked: 256,
  asksPerSecond: 50,
  absentMs: 30_000,
  forgetMs: 24 * 3_600_000,
};

/** `known`: of interest already. `asked`: not confirmed yet. `ask`: from now on. `refused`: too many new names. */
export type LookUp = 'known' | 'asked' | 'ask' | 'refused';

/**
 * The services that this machine calls, by canonical host: configured ones for ever, others from the first time somebody looks one up
 * until nobody uses it any more. Whatever is looked up, its size is bounded. No clock and no I/O: `now` is monotonic ms.
 */
export class NameInterest {
  readonly #limits: InterestLimits;
  #configured: ReadonlySet<string> = new Set();
  /** Host → last use; the least recently used first. */
  readonly #kept = new Map<string, number>();
  /** Host → asked since; oldest first. */
  readonly #asked = new Map<string, number>();
  #changes = 0;
  #allowance: number;
  #allowedAt = 0;

  constructor(limits: InterestLimits = defaultInterestLimits) {
    this.#limits = limits;
    this.#allowance = limits.asked;
  }

  /** All that is subscribed to. */
  names(): Set<string> {
    return new Set([...this.#configured, ...this.#kept.keys(), ...this.#asked.keys()]);
  }

  get configured(): ReadonlySet<string> {
    return this.#configured;
  }

  /** Grows whenever `kept` gains or loses a host. */
  get changes(): number {
    return this.#changes;
  }

  /** Host → last use. */
  get kept(): ReadonlyMap<string, number> {
    return this.#kept;
  }

  get asked(): ReadonlyMap<string, number> {
    return this.#asked;
  }

  /** Replaces what the configuration names. */
  configure(hosts: ReadonlySet<string>): void {
    this.#configured = hosts;
    for (const host of hosts) {
      if (this.#kept.delete(host)) this.#changes += 1;
      this.#asked.delete(host);
    }
  }

  /** What the last run kept: host → ms without use; the most recently used ones when they are too many. */
  restore(idle: ReadonlyMap<string, number>, now: number): void {
    const recent = [...idle].filter(([host]) => !this.#configured.has(host)).sort(([, a], [, b]) => a - b);
    for (const [host, idleMs] of recent.slice(0, this.#limits.kept).reverse()) this.#kept.set(host, now - idleMs);
  }

  lookUp(host: string, now: number): LookUp {
    if (this.#configured.has(host) || this.#kept.has(host)) return 'known';
    if (this.#asked.has(host)) return 'asked';
    if (!this.#allow(now)) return 'refused';
    const [oldest] = this.#asked.size >= this.#limits.asked ? this.#asked.keys() : [];
    if (oldest !== undefined) this.#asked.delete(oldest);
    this.#asked.set(host, now);
    return 'ask';
  }

  /**
   * An asked name exists: it is kept. When too many are, the least recently used one goes that `inUse` does not hold; when all are in use
   * the new one does not come in. True when something is no longer of interest because of it.
   */
  confirm(host: string, now: number, inUse: () => ReadonlySet<string>): boolean {
    if (!this.#asked.delete(host)) return false;
    const full = this.#kept.size >= this.#limits.kept;
    if (full) {
      const used = inUse();
      const idle = [...this.#kept.keys()].find((each) => !used.has(each));
      if (idle === undefined) return true;
      this.#kept.delete(idle);
    }
    this.#kept.set(host, now);
    this.#changes += 1;
    return full;
  }

  /** It was looked up, or connected to. */
  use(host: string, now: number): void {
    if (this.#kept.delete(host)) this.#kept.set(host, now);
  }

  /** Lets go of what nobody used or confirmed for long enough. True when something went. */
  sweep(now: number, inUse: ReadonlySet<string>): boolean {
    const before = this.#kept.size + this.#asked.size;
    for (const host of inUse) this.use(host, now);
    for (const [host, at] of this.#kept) if (now - at >= this.#limits.forgetMs) this.#kept.delete(host);
    for (const [host, at] of this.#asked) if (now - at >= this.#limits.absentMs) this.#asked.delete(host);
    const gone = before - this.#kept.size - this.#asked.size;
    if (gone > 0) this.#changes += 1;
    return gone > 0;
  }

  /** When a sweep may first find something: ms from `now`; Infinity while there is nothing to let go of. */
  dueIn(now: number): number {
    const [asked = Number.POSITIVE_INFINITY] = this.#asked.values();
    const [used = Number.POSITIVE_INFINITY] = this.#kept.values();
    return Math.max(0, Math.min(asked + this.#limits.absentMs, used + this.#limits.forgetMs) - now);
  }

  #allow(now: number): boolean {
    const { asked, asksPerSecond } = this.#limits;
    this.#allowance = Math.min(asked, this.#allowance + ((now - this.#allowedAt) / 1_000) * asksPerSecond);
    this.#allowedAt = now;
    if (this.#allowance < 1) return false;
    this.#allowance -= 1;
    return true;
  }
}
