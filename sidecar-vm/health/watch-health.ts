import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import { type Probe, runProbe } from './probe.ts';
import { applyResult, type HealthState, initialHealth, type Thresholds } from './thresholds.ts';

export interface HealthCheck {
  readonly probe: Probe;
  /** Between the end of one check and the start of the next, ms. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly thresholds: Thresholds;
}

export interface HealthCheckDeps {
  readonly clock: Clock;
  readonly run?: typeof runProbe;
}

/** Yields whenever the verdict changes, the first time after the first check; ends when `signal` aborts. */
export async function* watchHealth(
  check: HealthCheck,
  deps: HealthCheckDeps,
  signal: AbortSignal,
): AsyncGenerator<HealthState, void, void> {
  const run = deps.run ?? runProbe;
  let state = initialHealth;
  while (!signal.aborted) {
    const next = applyResult(state, await run(check.probe, check.timeoutMs), check.thresholds);
    const changed = next.verdict !== state.verdict;
    state = next;
    if (changed) yield state;
    try {
      await deps.clock.sleep(check.intervalMs, signal);
    } catch (error) {
      if (isAborted(error)) return;
      throw error;
    }
  }
}
