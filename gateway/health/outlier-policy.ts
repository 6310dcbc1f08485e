import type { OutlierDetection } from '../../core/traffic/index.ts';

/** What one endpoint has done; mutable, owned by its cluster's detector. */
export interface OutlierRecord {
  /** In a row. */
  errors: number;
  gatewayErrors: number;
  localOrigin: number;
  /** In this interval. */
  total: number;
  successes: number;
  /** It has answered HTTP: that a connection stood is then no success. */
  answers: boolean;
}

export const emptyRecord: OutlierRecord = { errors: 0, gatewayErrors: 0, localOrigin: 0, total: 0, successes: 0, answers: false };

export type Outcome =
  | { readonly kind: 'answer'; readonly status: number }
  /** TCP: it stood. HTTP: it is its answer that counts. */
  | { readonly kind: 'connected' }
  /** Refused, timed out, or broken off before an answer. */
  | { readonly kind: 'failure' };

/** Counts; true: one of the policy's rows of errors is complete. That row begins anew, as Envoy's does, whether or not the endpoint is ejected. */
export function countOutcome(record: OutlierRecord, outcome: Outcome, policy: OutlierDetection): boolean {
  if (outcome.kind === 'connected') {
    record.localOrigin = 0;
    if (!record.answers) succeed(record);
    return false;
  }
  const failed = outcome.kind === 'failure';
  if (!failed) {
    record.answers = true;
    record.localOrigin = 0;
    if (outcome.status < 500) {
      succeed(record);
      return false;
    }
  }
  if (failed) record.localOrigin += 1;
  // As Envoy's split: failures that have a row of their own are no answers.
  if (failed && policy.consecutiveLocalOriginFailures > 0) return completed(record, policy);
  record.total += 1;
  record.errors += 1;
  record.gatewayErrors = failed || (outcome.status >= 502 && outcome.status <= 504) ? record.gatewayErrors + 1 : 0;
  return completed(record, policy);
}

function succeed(record: OutlierRecord): void {
  record.errors = 0;
  record.gatewayErrors = 0;
  record.total += 1;
  record.successes += 1;
}

function completed(record: OutlierRecord, policy: OutlierDetection): boolean {
  const row = (count: number, limit: number) => limit > 0 && count >= limit;
  const errors = row(record.errors, policy.consecutive5xx);
  const gatewayErrors = row(record.gatewayErrors, policy.consecutiveGatewayErrors);
  const localOrigin = row(record.localOrigin, policy.consecutiveLocalOriginFailures);
  if (errors) record.errors = 0;
  if (gatewayErrors) record.gatewayErrors = 0;
  if (localOrigin) record.localOrigin = 0;
  return errors || gatewayErrors || localOrigin;
}

/**
 * Those whose rate of success in an interval is below mean - factor x standard deviation, over all that had enough requests
 * (Envoy docs, "Success rate").
 */
export function successRateOutliers<K>(records: ReadonlyMap<K, OutlierRecord>, policy: OutlierDetection): readonly K[] {
  const { successRate } = policy;
  if (successRate === undefined) return [];
  const rates = [...records]
    .filter(([, { total }]) => total > 0 && total >= successRate.requestVolume)
    .map(([key, { total, successes }]) => ({ key, rate: (100 * successes) / total }));
  if (rates.length === 0 || rates.length < successRate.minimumHosts) return [];
  const mean = rates.reduce((sum, { rate }) => sum + rate, 0) / rates.length;
  const variance = rates.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / rates.length;
  const threshold = mean - successRate.stdevFactor * Math.sqrt(variance);
  return rates.filter(({ rate }) => rate < threshold).map(({ key }) => key);
}

/** How long the ejection lasts that is the `count`th of late. */
export function ejectionMs(count: number, { baseEjectionMs, maxEjectionMs }: OutlierDetection): number {
  return Math.min(baseEjectionMs * count, Math.max(baseEjectionMs, maxEjectionMs));
}

/** Whether one more of `hosts` may be ejected, counted with it as Envoy does; the first always may. */
export function mayEject(ejected: number, hosts: number, { maxEjectionPercent }: OutlierDetection): boolean {
  return ejected === 0 || (100 * (ejected + 1)) / Math.max(1, hosts) <= maxEjectionPercent;
}
