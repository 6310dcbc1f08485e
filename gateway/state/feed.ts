import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { type ChannelSecurity, type core, createDeltaClient, type DeltaClient, type DeltaClientStatus } from '../../core/xds/index.ts';
import { StateFile } from './state-file.ts';
import { StateStore } from './store.ts';
import type { DataPlaneState } from './types.ts';

/** Of one resource type: all there is, or what these names name. */
export type Interest = '*' | ReadonlySet<string>;

export interface StateFeedOptions {
  /** Last good resources: read at the start, written after changes. */
  readonly file: string;
  /** HOST:PORT of control planes. */
  readonly addresses: readonly string[];
  readonly security: () => ChannelSecurity;
  readonly node: core.Node;
  /**
   * What is asked for from the start, by type URL, given what was kept of the last run; types that are not named are not asked for. Kept
   * resources that it does not cover are forgotten.
   */
  readonly interest: (kept: DataPlaneState) => ReadonlyMap<string, Interest>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Ends the stream. */
  readonly signal: AbortSignal;
}

/** For whoever waits for a write, ms. */
const saveMs = 2_000;

/** What a data plane knows of the mesh: from disk at once, then from the control plane, and back to disk. */
export class StateFeed {
  readonly store = new StateStore();
  readonly #options: StateFeedOptions;
  readonly #client: DeltaClient;
  readonly #file: StateFile;
  readonly #interest = new Map<string, Interest>();
  readonly #answered = new Set<() => void>();
  #restored = 0;
  /** Age of what was restored, and when that was (monotonic). */
  #restoredAge = { ageMs: 0, at: 0 };

  private constructor(options: StateFeedOptions) {
    this.#options = options;
    const { addresses, security, node, clock, random, log, signal, file } = options;
    this.#file = new StateFile({ file, clock, log, signal, snapshot: () => this.#client.snapshot(), ageMs: () => this.ageMs() ?? 0 });
    this.#client = createDeltaClient({
      bootstrap: addresses,
      security,
      node,
      clock,
      random,
      log,
      signal,
      onUpdate: (update) => {
        const before = this.store.current;
        const rejections = this.store.apply(update);
        if (this.store.current !== before) this.#file.changed();
        // Only when this has returned does the client count the update as taken in.
        queueMicrotask(() => this.#tell());
        return rejections;
      },
      onCurrent: () => this.#file.confirmed(),
    });
  }

  /** Rejects for nothing that the file holds. */
  static async open(options: StateFeedOptions): Promise<StateFeed> {
    const feed = new StateFeed(options);
    const kept = await feed.#file.load();
    const taken = feed.store.restore(kept.resources);
    // Before the stream opens: what nobody has subscribed to by then is dropped.
    const interest = options.interest(feed.store.current);
    for (const [typeUrl, names] of interest) feed.#subscribe(typeUrl, names);
    const wanted = taken.filter(({ typeUrl, name }) => covers(interest.get(typeUrl), name));
    for (const typeUrl of new Set(taken.map((r) => r.typeUrl))) {
      const removed = taken.filter((r) => r.typeUrl === typeUrl && !covers(interest.get(typeUrl), r.name)).map((r) => r.name);
      feed.store.apply({ typeUrl, changed: [], removed });
    }
    feed.#client.restore(wanted);
    feed.#restored = wanted.length;
    feed.#restoredAge = { ageMs: kept.ageMs, at: options.clock.monotonic() };
    return feed;
  }

  /** Runs until the signal aborts and what came last is on disk. */
  async run(): Promise<void> {
    await this.#client.start();
    await this.#file.finish();
  }

  /** What has come is on disk when it resolves, or was said to be lost, or takes long. */
  save(): Promise<void> {
    return this.#file.settle(saveMs);
  }

  /** All names that are wanted of a type from now on; others that were are forgotten. Not for a type of which everything is. */
  want(typeUrl: string, names: ReadonlySet<string>): void {
    const before = this.#interest.get(typeUrl) ?? new Set();
    if (before === '*') throw new TypeError(`everything is wanted of ${typeUrl}`);
    const added = [...names].filter((name) => !before.has(name));
    const gone = [...before].filter((name) => !names.has(name));
    this.#interest.set(typeUrl, new Set(names));
    if (added.length > 0) this.#client.subscribe(typeUrl, added);
    if (gone.length === 0) return;
    this.#client.unsubscribe(typeUrl, gone);
    this.store.apply({ typeUrl, changed: [], removed: gone });
    this.#file.changed();
  }

  /** Called after each update of the control plane has been taken in, those that only say what there is not included. Returns what ends it. */
  onAnswer(listener: () => void): () => void {
    const entry = () => listener();
    this.#answered.add(entry);
    return () => this.#answered.delete(entry);
  }

  /** The control plane has said that there is none of this name. */
  isAbsent(typeUrl: string, name: string): boolean {
    return this.#client.isAbsent(typeUrl, name);
  }

  /** Where the state comes from: `nothing` until disk or control plane have given any. */
  from(): 'control-plane' | 'disk' | 'nothing' {
    if (this.#client.status().dataAgeMs !== undefined) return 'control-plane';
    return this.#restored > 0 ? 'disk' : 'nothing';
  }

  /**
   * ms since a control plane last said that this is all there is. Grows while none is heard, on the monotonic clock; over a restart, by
   * the wall clock's difference. Undefined: there is no data.
   */
  ageMs(): number | undefined {
    const live = this.#client.status().dataAgeMs;
    if (live !== undefined) return Math.round(live);
    const { ageMs, at } = this.#restoredAge;
    return this.#restored > 0 ? Math.round(ageMs + this.#options.clock.monotonic() - at) : undefined;
  }

  status(): DeltaClientStatus {
    return this.#client.status();
  }

  /** After a renewed SVID: the server ends streams with the SVID that they began with. */
  reconnect(reason: string): void {
    this.#client.reconnect(reason);
  }

  #tell(): void {
    for (const listener of [...this.#answered]) listener();
  }

  #subscribe(typeUrl: string, names: Interest): void {
    this.#interest.set(typeUrl, names);
    if (names === '*') this.#client.subscribe(typeUrl, '*');
    else if (names.size > 0) this.#client.subscribe(typeUrl, [...names]);
  }
}

function covers(interest: Interest | undefined, name: string): boolean {
  return interest === '*' || interest?.has(name) === true;
}
