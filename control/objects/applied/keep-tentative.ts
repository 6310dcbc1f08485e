import type { Clock } from '../../../core/clock.ts';
import { MeshError } from '../../../core/errors.ts';
import { childController, isAborted } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import type { Compare } from '../../../core/store.ts';
import type { Leadership, Term } from '../../leadership/index.ts';
import type { AppliedStore } from './applied-store.ts';
import type { Tentative } from './stored.ts';

/** The clock that people set may jump: it is looked at this often at least. */
const mostSleepMs = 30_000;
const retryMs = 1000;

/** Rolls a tentative revision back once its time is over. */
export class TentativeKeeper {
  readonly #applied: AppliedStore;
  readonly #leadership: Leadership;
  readonly #clock: Clock;
  readonly #log: Log;
  #nap: AbortController | undefined;

  constructor(applied: AppliedStore, leadership: Leadership, clock: Clock, log: Log) {
    this.#applied = applied;
    this.#leadership = leadership;
    this.#clock = clock;
    this.#log = log;
  }

  /** The state may have changed: look again. */
  wake(): void {
    this.#nap?.abort();
  }

  /** What ran out while no replica was up. Without leading, which a dead replica may still do for a while: the head decides as well. */
  async settle(): Promise<void> {
    const { tentative } = this.#applied.state.head;
    if (tentative !== undefined && tentative.confirmBy <= this.#clock.now()) await this.#rollBack(tentative);
  }

  /** Until `signal` aborts. Of several replicas the one that leads does it. */
  run(signal: AbortSignal): Promise<void> {
    return this.#leadership.run((term) => this.#watchOver(term), signal);
  }

  async #watchOver({ fence, signal }: Term): Promise<void> {
    while (!signal.aborted) {
      const { tentative } = this.#applied.state.head;
      const remaining = tentative === undefined ? mostSleepMs : tentative.confirmBy - this.#clock.now();
      if (tentative !== undefined && remaining <= 0) {
        if (!(await this.#expire(tentative, fence))) await this.#sleep(retryMs, signal);
      } else await this.#sleep(Math.min(remaining, mostSleepMs), signal);
    }
  }

  /** False: it did not work this time. */
  async #expire(tentative: Tentative, fence: Compare): Promise<boolean> {
    try {
      await this.#rollBack(tentative, fence);
      return true;
    } catch (error) {
      this.#log.warn({ error, revision: tentative.revision }, 'a revision that was not confirmed could not be rolled back; trying again');
      return false;
    }
  }

  async #rollBack({ revision, confirmBy, by }: Tentative, fence?: Compare): Promise<void> {
    const message = `revision ${revision} was not confirmed by ${new Date(confirmBy).toISOString()}`;
    try {
      await this.#applied.commit({
        reason: 'expired',
        by: 'isthmus',
        message,
        undoes: revision,
        ...(fence === undefined ? {} : { fence }),
        step: (state) => this.#applied.stepBack(state, revision - 1),
      });
      this.#log.warn({ revision, by }, 'a revision was not confirmed in time, and is rolled back');
    } catch (error) {
      // Confirmed at the last moment, or rolled back by somebody else.
      if (!(error instanceof MeshError && error.code === 'CONFLICT')) throw error;
      await this.#applied.refresh();
    }
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const { controller, release } = childController(signal);
    this.#nap = controller;
    try {
      await this.#clock.sleep(ms, controller.signal);
    } catch (error) {
      if (!isAborted(error)) throw error;
    } finally {
      release();
    }
  }
}
