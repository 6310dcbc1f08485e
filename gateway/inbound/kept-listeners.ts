import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { EngineListener, EngineListenerSpec } from '../engine/index.ts';

export interface KeptListenersOptions {
  readonly listen: (spec: EngineListenerSpec) => Promise<EngineListener>;
  readonly log: Log;
}

export interface FailedListener {
  readonly port: number;
  readonly reason: string;
}

const retryMs = 2_000;

/**
 * Keeps the listeners open that the control plane names. One whose port another program holds is reported, and asked for again
 * (`run`); what a listener leads to is looked up at each connection, so a change of that opens and closes nothing.
 */
export class KeptListeners {
  readonly #options: KeptListenersOptions;
  readonly #open = new Map<string, { readonly name: string; readonly listener: EngineListener }>();
  #failed: ReadonlyMap<string, FailedListener> = new Map();
  #last: Promise<void> = Promise.resolve();

  constructor(options: KeptListenersOptions) {
    this.#options = options;
  }

  get ports(): readonly number[] {
    return [...this.#open.values()].map(({ listener }) => listener.port).sort((a, b) => a - b);
  }

  get failed(): readonly FailedListener[] {
    return [...this.#failed.values()];
  }

  /** Serialised: what comes while another is applied waits. Never rejects. */
  apply(wanted: readonly EngineListenerSpec[]): Promise<void> {
    this.#last = this.#last.then(() => this.#apply(wanted));
    return this.#last;
  }

  /** Asks again for ports that could not be had, such as those of the gateway before this one; until `signal` aborts. `wanted`: undefined while nothing new is to open. */
  async run(wanted: () => readonly EngineListenerSpec[] | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(retryMs, signal).catch(() => undefined);
      const now = signal.aborted || this.#failed.size === 0 ? undefined : wanted();
      if (now !== undefined) await this.apply(now);
    }
  }

  async #apply(wanted: readonly EngineListenerSpec[]): Promise<void> {
    const byPlace = new Map(wanted.map((spec) => [`${spec.address} ${spec.port}`, spec]));
    for (const [place, { name, listener }] of this.#open) {
      if (byPlace.get(place)?.name === name) continue;
      this.#open.delete(place);
      await listener.close();
    }
    const failed = new Map<string, FailedListener>();
    for (const [place, spec] of byPlace) {
      if (this.#open.has(place)) continue;
      const { name, address, port } = spec;
      try {
        this.#open.set(place, { name, listener: await this.#options.listen(spec) });
      } catch (error) {
        const reason = error instanceof MeshError ? error.message : String(error);
        failed.set(place, { port, reason });
        if (!this.#failed.has(place))
          this.#options.log.error({ listener: name, address, port, reason }, 'port not open: its callers reach nothing');
      }
    }
    this.#failed = failed;
  }
}
