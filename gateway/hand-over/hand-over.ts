import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { checkPlace } from './check-place.ts';
import { Offer } from './offer.ts';
import { PassedListeners } from './passed-listeners.ts';
import { type TakenOver, takeOver } from './take-over.ts';

export interface HandOverOptions {
  /** Of the Unix socket. */
  readonly path: string;
  readonly kind: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the gateway. */
  readonly signal: AbortSignal;
}

/** Listeners that the control plane may still name, after a start from disk. */
const unclaimedMs = 30_000;

/** Both ends of a gateway's life: it takes over from the process before, and is taken over from by the next. */
export class HandOver {
  readonly listeners: PassedListeners;
  readonly #options: HandOverOptions;
  readonly #taken: TakenOver | undefined;
  #offer: Offer | undefined;

  private constructor(options: HandOverOptions, taken: TakenOver | undefined) {
    this.#options = options;
    this.#taken = taken;
    this.listeners = taken?.listeners ?? new PassedListeners();
  }

  /** With the sockets of the process that serves, where there is one. MeshErrors as checkPlace's and takeOver's. */
  static async begin(options: HandOverOptions): Promise<HandOver> {
    await checkPlace(options.path);
    const taken = await takeOver(options);
    if (taken !== undefined) options.log.info({ at: options.path }, 'taking over from the process that serves');
    return new HandOver(options, taken);
  }

  /** Another process has served until now. */
  get tookOver(): boolean {
    return this.#taken !== undefined;
  }

  /** Everything listens: the process before stops. Resolves when all is free that there can be one of. */
  async serving(): Promise<void> {
    if (this.#taken === undefined) return;
    const how = await this.#taken.serving();
    if (how === 'released') this.#options.log.info({}, 'took over: the process before finishes what it has');
    else this.#options.log.warn({}, 'took over: the process before has gone, or does not answer');
  }

  /** To whoever comes next. MeshErrors as Offer's. */
  async offer(prepare: () => Promise<void>, release: () => Promise<void>): Promise<void> {
    const { path, kind, instance, clock, log } = this.#options;
    this.#offer = new Offer({ path, kind, instance, listeners: this.listeners, prepare, release, clock, log });
    await this.#offer.open();
  }

  /** Sockets of places where nobody listens any more are closed after a while. Until `signal` aborts. */
  async forgetUnclaimed(): Promise<void> {
    const { clock, log, signal } = this.#options;
    try {
      await clock.sleep(unclaimedMs, signal);
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
    const places = this.listeners.dropUnclaimed();
    if (places.length > 0) log.warn({ places }, 'nobody listens any more where the process before did');
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#taken?.close();
    this.listeners.dropUnclaimed();
    await this.#offer?.close();
  }
}
