import type { Clock } from '../../core/clock.ts';
import { MeshError, toMeshError } from '../../core/errors.ts';
import { childController, runGroup } from '../../core/lifecycle.ts';
import type { Emit } from '../../core/registry/index.ts';
import type { EventBatch } from './client.ts';
import { NomadLists } from './follow-lists.ts';
import { type FollowContext, NomadView } from './view.ts';
import { CheckWatcher } from './watch-checks.ts';

/** Topics that need `node:read` besides the namespaces' `read-job`. */
const topics = ['Service', 'Allocation'];
/** Streams in a row that could not be opened or broke young, until blocking queries take over for a while. */
const toleratedFailures = 2;
const youngMs = 5_000;
/** How long the first snapshot waits for check results, ms. */
const firstChecksMs = 2_000;

/**
 * One session with Nomad. The event stream is opened first and the lists read after, so nothing falls between; a stream that broke is
 * resumed by index and the lists read again, because Nomad skips silently what its buffer lost. Where there is no stream, blocking
 * queries on the lists do the same, at a higher cost.
 */
export class NomadFollower {
  readonly #context: FollowContext;
  readonly #view: NomadView;
  readonly #lists: NomadLists;
  readonly #checks: CheckWatcher;

  constructor(context: FollowContext, emit: Emit) {
    const { client, tuning, deps } = context;
    this.#context = context;
    this.#view = new NomadView(context, emit);
    this.#lists = new NomadLists(context, this.#view);
    this.#checks = new CheckWatcher(client, this.#view.state, tuning, deps.clock);
  }

  /** Returns when an index went back, which means another history; throws when Nomad cannot be read. */
  async run(parent: AbortSignal): Promise<void> {
    const { controller, release } = childController(parent);
    const follow = async (signal: AbortSignal) => {
      await this.#follow(signal);
      controller.abort();
    };
    try {
      await runGroup(controller.signal, [follow, (signal) => this.#followChecks(signal)]);
    } finally {
      release();
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, random, log, id } = this.#context.deps;
    let failures = 0;
    for (;;) {
      const started = clock.monotonic();
      try {
        await this.#followStream(signal);
        return;
      } catch (error) {
        const failure = toMeshError(error, 'REGISTRY_UNREACHABLE', 'Nomad: its event stream broke');
        if (signal.aborted || failure.code === 'DEADLINE_EXCEEDED' || failure.code === 'LIMIT_EXCEEDED') throw failure;
        failures = clock.monotonic() - started >= youngMs ? 1 : failures + 1;
        const refused = failure.code === 'REGISTRY_REFUSED';
        // It may be the topic of nodes alone that the token has no right to.
        if (refused && this.#lists.readsNodes && !(await this.#lists.learnRights(signal))) continue;
        if (refused || failures > toleratedFailures) {
          // The lists tell whether it is the stream alone that is not to be had.
          const outcome = await this.#lists.follow(signal, () => {
            log.warn({ source: id, code: failure.code }, `no event stream, blocking queries instead: ${failure.message}`);
          });
          if (outcome === 'went-back') return;
          failures = 0;
        }
      }
      await clock.sleep(20 + random() * 80, signal);
    }
  }

  /** Returns when an index went back; throws when the stream ends, whichever way. */
  async #followStream(parent: AbortSignal): Promise<void> {
    const { client, tuning, deps } = this.#context;
    const { controller, release } = childController(parent);
    const wanted = this.#lists.readsNodes ? [...topics, 'Node'] : topics;
    const batches = client.events(wanted, this.#view.seen, controller.signal)[Symbol.asyncIterator]();
    const next = async (ms: number) => {
      const batch = await withDeadline(deps.clock, ms, controller, batches.next());
      return batch.done === true ? undefined : batch.value;
    };
    try {
      // Nomad writes a heartbeat as soon as it has subscribed: from then on nothing is lost.
      let batch: EventBatch | undefined = await next(tuning.marginMs);
      if ((await this.#lists.read(controller.signal)) === 'went-back') return;
      if (!this.#view.hasSnapshot) await this.#firstSnapshot(controller.signal);
      for (; batch !== undefined; batch = await next(tuning.streamIdleMs)) await this.#view.apply(batch);
      throw new MeshError('REGISTRY_UNREACHABLE', 'Nomad ended its event stream: check its log', { retryable: true });
    } finally {
      controller.abort();
      release();
      await batches.return?.(undefined)?.catch(() => {});
    }
  }

  async #firstSnapshot(signal: AbortSignal): Promise<void> {
    const { controller, release } = childController(signal);
    try {
      await withDeadline(this.#context.deps.clock, firstChecksMs, controller, this.#checks.round(controller.signal));
    } catch (error) {
      if (signal.aborted) throw error;
    } finally {
      release();
    }
    await this.#view.snapshot();
  }

  async #followChecks(signal: AbortSignal): Promise<void> {
    const { deps, tuning } = this.#context;
    for (;;) {
      await deps.clock.sleep(Math.min(250, tuning.checkIntervalMs), signal);
      if (!this.#view.hasSnapshot) continue;
      await this.#view.publish(await this.#checks.round(signal));
    }
  }
}

/** Aborts `controller` when `work` takes longer, and says so with DEADLINE_EXCEEDED. */
async function withDeadline<T>(clock: Clock, ms: number, controller: AbortController, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  let late = false;
  const expire = () => {
    late = true;
    controller.abort();
  };
  clock.sleep(ms, timer.signal).then(expire, () => {});
  try {
    return await work;
  } catch (error) {
    if (!late) throw error;
    const message = `Nomad said nothing for ${ms} ms: check whether it hangs or a firewall drops its packets`;
    throw new MeshError('DEADLINE_EXCEEDED', message, { cause: error, retryable: true });
  } finally {
    timer.abort();
  }
}
