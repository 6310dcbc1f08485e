import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import {
  type ChannelSecurity,
  type core,
  createDeltaClient,
  type DeltaClient,
  type DeltaClientStatus,
  nativeTypeUrls,
} from '../../core/xds/index.ts';
import { loadState, StateStore, saveState } from '../../gateway/index.ts';

export interface MeshFeedOptions {
  /** Last good resources: read at the start, written after changes. */
  readonly file: string;
  /** HOST:PORT of control planes. */
  readonly addresses: readonly string[];
  readonly security: () => ChannelSecurity;
  readonly node: core.Node;
  /** `NAMESPACE/NAME` of this machine's services: their Authz is wanted. */
  readonly services: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Ends the stream. */
  readonly signal: AbortSignal;
}

/** Changes that come together are written together, ms. */
const saveDelayMs = 200;

/** What this machine knows of the mesh: from disk at once, then from the control plane, and back to disk. */
export class MeshFeed {
  readonly store = new StateStore();
  readonly #options: MeshFeedOptions;
  readonly #client: DeltaClient;
  readonly #interest = new Set<string>();
  #savedAtMs = 0;
  #restored = 0;
  #dirty = false;
  #saving: Promise<void> | undefined;

  private constructor(options: MeshFeedOptions) {
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
        this.#changed();
        return rejections;
      },
    });
    this.#client.subscribe(nativeTypeUrls.bundle, '*');
    this.#client.subscribe(nativeTypeUrls.listener, '*');
    if (options.services.length > 0) this.#client.subscribe(nativeTypeUrls.authz, options.services);
  }

  /** Reads what was kept; a file that is damaged counts as none, and is said. */
  static async open(options: MeshFeedOptions): Promise<MeshFeed> {
    const feed = new MeshFeed(options);
    const kept = await loadState(options.file);
    if (kept.damaged) options.log.warn({ file: options.file }, 'the kept mesh state is damaged: waiting for the control plane');
    const taken = feed.store.restore(kept.resources);
    // Before the stream opens: what nobody has subscribed to by then is dropped.
    feed.setInterest(new Set(taken.filter((r) => r.typeUrl === nativeTypeUrls.cluster).map((r) => r.name)));
    feed.#client.restore(taken);
    feed.#savedAtMs = kept.savedAtMs;
    feed.#restored = taken.length;
    return feed;
  }

  /** Runs until the signal aborts and what came last is on disk. */
  async run(): Promise<void> {
    await this.#client.start();
    await this.#saving;
    if (this.#dirty) await this.#save();
  }

  /** The xDS clusters whose endpoints are wanted, all of them. Those that are no longer named are forgotten. */
  setInterest(clusters: ReadonlySet<string>): void {
    const added = [...clusters].filter((name) => !this.#interest.has(name));
    const gone = [...this.#interest].filter((name) => !clusters.has(name));
    for (const typeUrl of [nativeTypeUrls.cluster, nativeTypeUrls.loadAssignment]) {
      if (added.length > 0) this.#client.subscribe(typeUrl, added);
      if (gone.length === 0) continue;
      this.#client.unsubscribe(typeUrl, gone);
      this.store.apply({ typeUrl, changed: [], removed: gone });
    }
    for (const name of added) this.#interest.add(name);
    for (const name of gone) this.#interest.delete(name);
    if (added.length + gone.length > 0) this.#changed();
  }

  /** Where the state comes from: `nothing` until disk or control plane have given any. */
  from(): 'control-plane' | 'disk' | 'nothing' {
    if (this.#client.status().dataAgeMs !== undefined) return 'control-plane';
    return this.#restored > 0 ? 'disk' : 'nothing';
  }

  ageMs(): number | undefined {
    const live = this.#client.status().dataAgeMs;
    if (live !== undefined) return Math.round(live);
    return this.#restored > 0 ? Math.max(0, this.#options.clock.now() - this.#savedAtMs) : undefined;
  }

  status(): DeltaClientStatus {
    return this.#client.status();
  }

  /** After a renewed SVID: the server ends connections with the SVID that they began with. */
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
      log.error({ file, error: String(error) }, 'the mesh state could not be kept: a restart without control plane would use an older one');
    }
  }
}
