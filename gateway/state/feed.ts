import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import {
  type ChannelSecurity,
  type core,
  createDeltaClient,
  type DeltaClient,
  type DeltaClientStatus,
  nativeOrder,
} from '../../core/xds/index.ts';
import { loadState, saveState } from './disk.ts';
import { StateStore } from './store.ts';

export interface StateFeedOptions {
  /** Last good resources: read at the start, written after changes. */
  readonly file: string;
  /** HOST:PORT of control planes. */
  readonly addresses: readonly string[];
  readonly security: () => ChannelSecurity;
  readonly node: core.Node;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Ends the stream. */
  readonly signal: AbortSignal;
}

/** Changes that come together are written together, ms. */
const saveDelayMs = 200;

/** All that the control plane has for a gateway: from disk at once, then live, and back to disk. */
export class StateFeed {
  readonly store = new StateStore();
  readonly #options: StateFeedOptions;
  readonly #client: DeltaClient;
  #restored = 0;
  #savedAtMs = 0;
  #dirty = false;
  #saving: Promise<void> | undefined;

  private constructor(options: StateFeedOptions) {
    this.#options = options;
    const { addresses, security, node, clock, random, log, signal } = options;
    this.#client = createDeltaClient({
      bootstrap: addresses,
      security,
      node,
      clock,
      random,
      log,
      signal,
      onUpdate: (update) => {
        const rejections = this.store.apply(update);
        for (const { name, reason } of rejections)
          log.warn({ typeUrl: update.typeUrl, name, reason }, 'resource refused: the last good one stays');
        this.#changed();
        return rejections;
      },
    });
    for (const typeUrl of nativeOrder) this.#client.subscribe(typeUrl, '*');
  }

  /** A file that is damaged counts as none, and is said. */
  static async open(options: StateFeedOptions): Promise<StateFeed> {
    const feed = new StateFeed(options);
    const kept = await loadState(options.file);
    if (kept.damaged) options.log.warn({ file: options.file }, 'the kept state is damaged: waiting for the control plane');
    const taken = feed.store.restore(kept.resources);
    feed.#client.restore(taken);
    feed.#restored = taken.length;
    feed.#savedAtMs = kept.savedAtMs;
    return feed;
  }

  /** Runs until the signal aborts and what came last is on disk. */
  async run(): Promise<void> {
    await this.#client.start();
    await this.#saving;
    if (this.#dirty) await this.#save();
  }

  /** `nothing` until disk or control plane have given any. */
  from(): 'control-plane' | 'disk' | 'nothing' {
    if (this.#client.status().dataAgeMs !== undefined) return 'control-plane';
    return this.#restored > 0 ? 'disk' : 'nothing';
  }

  /** Of the data, ms; undefined: there is none. */
  ageMs(): number | undefined {
    const live = this.#client.status().dataAgeMs;
    if (live !== undefined) return Math.round(live);
    return this.#restored > 0 ? Math.max(0, this.#options.clock.now() - this.#savedAtMs) : undefined;
  }

  status(): DeltaClientStatus {
    return this.#client.status();
  }

  /** After a renewed SVID: the server ends streams with the SVID that they began with. */
  reconnect(reason: string): void {
    this.#client.reconnect(reason);
  }

  #changed(): void {
    this.#dirty = true;
    if (this.#options.signal.aborted) return;
    this.#saving ??= this.#saveSoon().finally(() => {
      this.#saving = undefined;
    });
  }

  async #saveSoon(): Promise<void> {
    const { clock, signal } = this.#options;
    try {
      while (this.#dirty) {
        await clock.sleep(saveDelayMs, signal);
        await this.#save();
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }

  async #save(): Promise<void> {
    const { file, clock, log } = this.#options;
    this.#dirty = false;
    try {
      await saveState(file, this.#client.snapshot(), clock.now());
    } catch (error) {
      log.error({ file, error: String(error) }, 'the state could not be kept: a restart without control plane would use an older one');
    }
  }
}
