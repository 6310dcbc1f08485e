import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import { Nudge } from '../nudge.ts';
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
  readonly nudge?: Nudge;
}

/** Between a first failure and the checks that confirm it, ms: thresholds are against flapping, not for slowness. */
const confirmMs = 100;

/** Yields whenever the verdict changes, the first time after the first check; ends when `signal` aborts. */
export async function* watchHealth(
  check: HealthCheck,
  deps: HealthCheckDeps,
  signal: AbortSignal,
): AsyncGenerator<HealthState, void, void> {
  const run = deps.run ?? runProbe;
  const nudge = deps.nudge ?? new Nudge();
  let state = initialHealth;
  while (!signal.aborted) {
    const result = await run(check.probe, check.timeoutMs);
    const next = applyResult(state, result, check.thresholds);
    const changed = next.verdict !== state.verdict;
    state = next;
    if (changed) yield state;
    const inDoubt = state.verdict === 'healthy' && state.streak > 0;
    try {
      await nudge.wait(inDoubt ? Math.min(confirmMs, check.intervalMs) : check.intervalMs, deps.clock, signal);
    } catch (error) {
      if (isAborted(error)) return;
      throw error;
    }
  }
}
