import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { nativeTypeUrls } from '../../core/xds/index.ts';
import type { StateFeed } from '../../gateway/index.ts';
import type { AgentStatus } from '../contract.ts';
import { Nudge } from '../nudge.ts';
import { saveInterest } from './interest-file.ts';
import type { NameInterest } from './name-interest.ts';

export interface NameDiscoveryOptions {
  readonly names: NameInterest;
  /** Where `names` is kept. */
  readonly file: string;
  readonly feed: StateFeed;
  /** The host of the service that a DNS name means; undefined: of none. */
  readonly hostOf: (name: string) => string | undefined;
  /** `open`: whoever connects is served. `named`: it has an address, and its listeners are still on their way. */
  readonly place: (host: string) => 'open' | 'named' | undefined;
  /** Hosts that connections are open to. */
  readonly inUse: () => ReadonlySet<string>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What DNS may say: `settled`, whatever the zones hold now; `unknown`, as no control plane has answered yet. */
export type Discovered = 'settled' | 'unknown';

/** Less than the 2 s after which the hastiest of the usual resolvers give up. */
const answerMs = 1_500;
/** Lookups that wait at one time. */
const mostWaiting = 1_024;
/** How far uses on disk may be behind, ms. */
const saveEveryMs = 3_600_000;
/** Names that come together are written together, ms. */
const saveDelayMs = 200;
const retryMs = 5_000;

/** Subscribes to the services that somebody here looks up, instead of to all there are. */
export class NameDiscovery {
  readonly #parts: NameDiscoveryOptions;
  readonly #nudge = new Nudge();
  readonly #waiting = new Map<string, Set<() => void>>();
  #waiters = 0;
  /** `names.changes` of what is on disk. */
  #saved: number;
  #savedAt: number;
  #failing = false;

  constructor(parts: NameDiscoveryOptions) {
    this.#parts = parts;
    this.#saved = parts.names.changes;
    this.#savedAt = parts.clock.monotonic();
    parts.feed.onAnswer(() => this.#answered());
  }

  /** Resolves at once for what is served, from disk too; otherwise when the control plane has answered, within 1.5 s. */
  async lookUp(name: string): Promise<Discovered> {
    const { names, clock, hostOf, place } = this.#parts;
    const host = hostOf(name);
    if (host === undefined) return 'settled';
    if (place(host) === 'open') {
      names.use(host, clock.monotonic());
      return 'settled';
    }
    const found = names.lookUp(host, clock.monotonic());
    if (found === 'refused') return 'unknown';
    if (found === 'ask') this.#want();
    if (this.#isAbsent(host)) return 'settled';
    if (this.#waiters >= mostWaiting) return 'unknown';
    await this.#wait(host);
    return place(host) !== undefined || this.#isAbsent(host) ? 'settled' : 'unknown';
  }

  /** A connection to it was seen. */
  use(host: string): void {
    this.#parts.names.use(host, this.#parts.clock.monotonic());
  }

  /** To be called when `place` may say something new. */
  placed(): void {
    for (const host of [...this.#waiting.keys()]) if (this.#parts.place(host) === 'open') this.#wake(host);
  }

  /** Forgets what nobody uses, and keeps the rest on disk, until the signal aborts. */
  async run(): Promise<void> {
    const { names, clock, inUse, signal } = this.#parts;
    try {
      for (;;) {
        const now = clock.monotonic();
        if (names.dueIn(now) === 0 && names.sweep(now, inUse())) this.#want();
        if (this.#saveDueIn() === 0) await this.#save();
        await this.#nudge.wait(Math.max(1, Math.min(this.#saveDueIn(), names.dueIn(clock.monotonic()))), clock, signal);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    } finally {
      for (const host of [...this.#waiting.keys()]) this.#wake(host);
      await this.#save();
    }
  }

  describe(): AgentStatus['interest'] {
    const { names, feed, clock } = this.#parts;
    const now = clock.monotonic();
    const stateOf = (host: string) =>
      feed.store.current.listeners.has(host) ? ('present' as const) : this.#isAbsent(host) ? ('absent' as const) : ('unknown' as const);
    const used = (host: string, at: number) => ({ host, state: stateOf(host), idleMs: Math.max(0, Math.round(now - at)) });
    return [
      ...[...names.configured].map((host) => ({ host, why: 'configured' as const, state: stateOf(host) })),
      ...[...names.kept].map(([host, at]) => ({ why: 'used' as const, ...used(host, at) })),
      ...[...names.asked].map(([host, at]) => ({ why: 'asked' as const, ...used(host, at) })),
    ];
  }

  #isAbsent(host: string): boolean {
    const { feed } = this.#parts;
    return feed.isAbsent(nativeTypeUrls.listener, host) && !feed.store.current.listeners.has(host);
  }

  #answered(): void {
    const { names, feed, clock, inUse } = this.#parts;
    const now = clock.monotonic();
    let gone = false;
    for (const host of [...names.asked.keys()]) {
      if (!feed.store.current.listeners.has(host)) continue;
      gone = names.confirm(host, now, inUse) || gone;
    }
    if (gone) this.#want();
    this.#nudge.ask();
    for (const host of [...this.#waiting.keys()]) if (this.#isAbsent(host)) this.#wake(host);
  }

  #want(): void {
    this.#parts.feed.want(nativeTypeUrls.listener, this.#parts.names.names());
    this.#nudge.ask();
  }

  /** Until something is known of the host, or the time is up. */
  async #wait(host: string): Promise<void> {
    const over = new AbortController();
    if (this.#parts.signal.aborted) return;
    const wake = () => over.abort();
    const others = this.#waiting.get(host) ?? new Set();
    this.#waiting.set(host, others.add(wake));
    this.#waiters += 1;
    try {
      await this.#parts.clock.sleep(answerMs, over.signal);
    } catch (error) {
      if (!isAborted(error)) throw error;
    } finally {
      this.#waiters -= 1;
      others.delete(wake);
      if (others.size === 0) this.#waiting.delete(host);
    }
  }

  #wake(host: string): void {
    for (const wake of [...(this.#waiting.get(host) ?? [])]) wake();
  }

  #saveDueIn(): number {
    const { names, clock } = this.#parts;
    const every = this.#failing ? retryMs : this.#saved === names.changes ? saveEveryMs : saveDelayMs;
    return Math.max(0, this.#savedAt + every - clock.monotonic());
  }

  async #save(): Promise<void> {
    const { file, names, clock, log } = this.#parts;
    const { changes } = names;
    this.#savedAt = clock.monotonic();
    try {
      await saveInterest(file, names.kept, clock.monotonic());
      this.#saved = changes;
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        log.error({ file, error: String(error) }, 'what this machine calls cannot be kept: after a restart it is looked up anew');
      this.#failing = true;
    }
  }
}
