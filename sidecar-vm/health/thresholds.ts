/** What a service's health check has shown so far. Starts as `unknown`, which is never reported as healthy. */
export interface HealthState {
  readonly verdict: 'unknown' | 'healthy' | 'unhealthy';
  /** Results in a row that speak against the verdict. */
  readonly streak: number;
  readonly reason: string;
}

export interface Thresholds {
  /** Passes in a row that make it healthy, ≥ 1. */
  readonly healthy: number;
  /** Failures in a row that make it unhealthy, ≥ 1. */
  readonly unhealthy: number;
}

export interface CheckResult {
  readonly ok: boolean;
  /** For people: why it failed, or what answered. */
  readonly reason: string;
}

export const initialHealth: HealthState = { verdict: 'unknown', streak: 0, reason: 'not checked yet' };

/** Pure. From `unknown` one result decides, so that a start is not slowed by thresholds meant against flapping. */
export function applyResult(state: HealthState, result: CheckResult, thresholds: Thresholds): HealthState {
  const says = result.ok ? 'healthy' : 'unhealthy';
  if (state.verdict === 'unknown') return { verdict: says, streak: 0, reason: result.reason };
  if (state.verdict === says) return { verdict: says, streak: 0, reason: result.reason };
  const streak = state.streak + 1;
  const needed = result.ok ? thresholds.healthy : thresholds.unhealthy;
  return streak >= needed ? { verdict: says, streak: 0, reason: result.reason } : { ...state, streak };
}
