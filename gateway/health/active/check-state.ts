import type { HealthCheck } from '../../../core/traffic/index.ts';

/** `bad`: the application itself answered that it is not well, which needs no second opinion; `failed`: no answer came. */
export type CheckResult = 'good' | 'bad' | 'failed';

/** What is known of one endpoint. `untold` until its first check, and used meanwhile: a wrong suspicion must not be an outage. */
export interface CheckState {
  readonly health: 'untold' | 'healthy' | 'unhealthy';
  /** Checks in a row that spoke against `health`. */
  readonly against: number;
}

export const initialCheck: CheckState = { health: 'untold', against: 0 };

/** Envoy's rules: the first check decides alone, a bad answer decides at once, all else takes its threshold. Pure. */
export function stepCheck(
  state: CheckState,
  result: CheckResult,
  limits: Pick<HealthCheck, 'healthyThreshold' | 'unhealthyThreshold'>,
): CheckState {
  const says = result === 'good' ? 'healthy' : 'unhealthy';
  if (state.health === 'untold' || (result === 'bad' && state.health === 'healthy')) return { health: says, against: 0 };
  if (says === state.health) return state.against === 0 ? state : { ...state, against: 0 };
  const against = state.against + 1;
  const threshold = says === 'healthy' ? limits.healthyThreshold : limits.unhealthyThreshold;
  return against >= threshold ? { health: says, against: 0 } : { ...state, against };
}
