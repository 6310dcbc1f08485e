import type { Clock } from '../../core/clock.ts';
import { childController, isAborted } from '../../core/lifecycle.ts';

/** Deadlines of the embedded store's leases, on the monotonic clock. */
export class LeaseClock {
  readonly #clock: Clock;
  readonly #expire: (id: string) => Promise<void>;
  readonly #deadlines = new Map<string, { readonly ttlMs: number; at: number }>();
  readonly #stop = new AbortController();
  #wake: AbortController | undefined;
  #wakesAt = 0;
  #running: Promise<void> = Promise.resolve();

  /** `expire` removes the lease; when it fails it is called again a second later. */
  constructor(clock: Clock, expire: (id: string) => Promise<void>) {
    this.#clock = clock;
    this.#expire = expire;
  }

  start(): void {
    this.#running = this.#run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** From now on; `ttlMs` after that the lease expires. */
  add(id: string, ttlMs: number): void {
    const at = this.#clock.monotonic() + ttlMs;
    this.#deadlines.set(id, { ttlMs, at });
    if (at < this.#wakesAt) this.#wake?.abort();
  }

  /** Leases found on disk: those not known get their full TTL. */
  adopt(leases: ReadonlyMap<string, { readonly ttlMs: number }>): void {
    for (const [id, lease] of leases) if (!this.#deadlines.has(id)) this.add(id, lease.ttlMs);
  }

  remove(id: string): void {
    this.#deadlines.delete(id);
  }

  /** False: it has expired, whether or not its keys are gone yet. */
  extend(id: string): boolean {
    const lease = this.#deadlines.get(id);
    const now = this.#clock.monotonic();
    if (lease === undefined || lease.at <= now) return false;
    lease.at = now + lease.ttlMs;
    return true;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = this.#clock.monotonic();
      let next = now + 3_600_000;
      for (const lease of this.#deadlines.values()) next = Math.min(next, lease.at);
      const { controller, release } = childController(signal);
      this.#wake = controller;
      this.#wakesAt = next;
      try {
        if (next > now) await this.#clock.sleep(next - now, controller.signal);
        await this.#expireDue();
      } catch (error) {
        if (!isAborted(error)) await this.#clock.sleep(1000, signal).catch(() => undefined);
      } finally {
        release();
      }
    }
  }

  async #expireDue(): Promise<void> {
    const now = this.#clock.monotonic();
    const due = [...this.#deadlines].filter(([, lease]) => lease.at <= now);
    // Together, so that they share a sync.
    await Promise.all(
      due.map(async ([id]) => {
        await this.#expire(id);
        this.#deadlines.delete(id);
      }),
    );
  }
}
