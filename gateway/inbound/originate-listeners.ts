import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { EngineListener, EngineListenerSpec } from '../engine/index.ts';
import type { DataPlaneState, OriginateListenerState } from '../state/index.ts';

export interface OriginateListenersOptions {
  readonly address: string;
  readonly listen: (spec: EngineListenerSpec) => Promise<EngineListener>;
  readonly log: Log;
}

const retryMs = 2_000;

/**
 * Keeps the gateway ports of imported services open as the control plane names them. A port that another program holds is
 * reported, and asked for again (`run`); what a port leads to is looked up at each connection, so a change
 * of that opens and closes nothing.
 */
export class OriginateListeners {
  readonly #options: OriginateListenersOptions;
  readonly #open = new Map<number, { readonly name: string; readonly listener: EngineListener }>();
  #failed: ReadonlyMap<number, string> = new Map();
  #last: Promise<void> = Promise.resolve();

  constructor(options: OriginateListenersOptions) {
    this.#options = options;
  }

  get ports(): readonly number[] {
    return [...this.#open.keys()].sort((a, b) => a - b);
  }

  /** Port → why it is not open. */
  get failed(): ReadonlyMap<number, string> {
    return this.#failed;
  }

  /** Serialised: a state that comes while another is applied waits. Never rejects. */
  apply(state: DataPlaneState): Promise<void> {
    this.#last = this.#last.then(() => this.#apply(state));
    return this.#last;
  }

  /** Asks again for ports that could not be had, such as those of the gateway before this one; until `signal` aborts. `state`: undefined while nothing new is to open. */
  async run(state: () => DataPlaneState | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(retryMs, signal).catch(() => undefined);
      const wanted = signal.aborted || this.#failed.size === 0 ? undefined : state();
      if (wanted !== undefined) await this.apply(wanted);
    }
  }

  async #apply(state: DataPlaneState): Promise<void> {
    const wanted = new Map<number, OriginateListenerState>();
    for (const listener of state.listeners.values()) if (listener.kind === 'originate') wanted.set(listener.port, listener);
    for (const [port, { name, listener }] of this.#open) {
      if (wanted.get(port)?.name === name) continue;
      this.#open.delete(port);
      await listener.close();
    }
    const failed = new Map<number, string>();
    for (const [port, { name, namespace, service }] of wanted) {
      if (this.#open.has(port)) continue;
      try {
        this.#open.set(port, { name, listener: await this.#options.listen({ name, address: this.#options.address, port, kind: 'plain' }) });
      } catch (error) {
        const reason = error instanceof MeshError ? error.message : String(error);
        failed.set(port, reason);
        if (!this.#failed.has(port))
          this.#options.log.error({ port, namespace, service, reason }, 'gateway port not open: its callers reach nothing');
      }
    }
    this.#failed = failed;
  }
}
