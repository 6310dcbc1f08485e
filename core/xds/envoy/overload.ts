import type { ClusterTraffic, OutlierDetection as MeshOutliers } from '../../traffic/index.ts';
import { CircuitBreakers } from '../gen/envoy/config/cluster/v3/circuit_breaker.ts';
import { OutlierDetection } from '../gen/envoy/config/cluster/v3/outlier_detection.ts';
import { duration } from './any.ts';

/** Envoy's own defaults are 1,024 and, for retries, 3. */
const many = 1 << 30;

export function circuitBreakers({ connections = {}, retryBudget }: Pick<ClusterTraffic, 'connections' | 'retryBudget'>): CircuitBreakers {
  const { maxConnections = many, maxPendingRequests = many, maxRequests = many, maxRetries } = connections;
  // Envoy looks at the number only where there is no budget.
  const budget =
    maxRetries === undefined && retryBudget !== undefined
      ? { retryBudget: { budgetPercent: { value: retryBudget.percent }, minRetryConcurrency: retryBudget.minRetries } }
      : {};
  return CircuitBreakers.create({
    thresholds: [{ maxConnections, maxPendingRequests, maxRequests, maxRetries: maxRetries ?? many, ...budget }],
  });
}

/** As our own proxies: a refused connection holds an endpoint back for 0.5 s to 30 s; what an application answers never does. */
export const defaultOutliers = OutlierDetection.create({
  splitExternalLocalOriginErrors: true,
  consecutiveLocalOriginFailure: 1,
  enforcingConsecutiveLocalOriginFailure: 100,
  enforcingConsecutive5xx: 0,
  enforcingConsecutiveGatewayFailure: 0,
  enforcingSuccessRate: 0,
  enforcingLocalOriginSuccessRate: 0,
  interval: duration(500),
  baseEjectionTime: duration(500),
  maxEjectionTime: duration(30_000),
  maxEjectionPercent: 100,
});

/**
 * Envoy counts the answers that came through a gateway as that gateway's own. `ownAnswers`: no endpoint is a gateway; where one is, only
 * what failed on the way to it holds anybody back.
 */
export function outlierDetection(outlier: MeshOutliers, ownAnswers: boolean): OutlierDetection {
  const { consecutive5xx, consecutiveGatewayErrors, consecutiveLocalOriginFailures, successRate } = outlier;
  const enforced = (threshold: number) => (threshold > 0 ? 100 : 0);
  return OutlierDetection.create({
    // Only apart from answers does Envoy count failures at all; together, they are 5xx.
    splitExternalLocalOriginErrors: consecutiveLocalOriginFailures > 0 || !ownAnswers,
    ...consecutive('consecutiveLocalOriginFailure', consecutiveLocalOriginFailures),
    enforcingConsecutiveLocalOriginFailure: enforced(consecutiveLocalOriginFailures),
    ...consecutive('consecutive5xx', consecutive5xx),
    enforcingConsecutive5xx: ownAnswers ? enforced(consecutive5xx) : 0,
    ...consecutive('consecutiveGatewayFailure', consecutiveGatewayErrors),
    enforcingConsecutiveGatewayFailure: ownAnswers ? enforced(consecutiveGatewayErrors) : 0,
    enforcingSuccessRate: successRate !== undefined && ownAnswers ? 100 : 0,
    enforcingLocalOriginSuccessRate: 0,
    ...(successRate === undefined
      ? {}
      : {
          successRateMinimumHosts: successRate.minimumHosts,
          successRateRequestVolume: successRate.requestVolume,
          // In thousandths.
          successRateStdevFactor: Math.round(successRate.stdevFactor * 1_000),
        }),
    interval: duration(outlier.intervalMs),
    baseEjectionTime: duration(outlier.baseEjectionMs),
    maxEjectionTime: duration(Math.max(outlier.maxEjectionMs, outlier.baseEjectionMs)),
    maxEjectionPercent: outlier.maxEjectionPercent,
    // As our own proxies: of few endpoints, a small percentage would be none.
    alwaysEjectOneHost: true,
  });
}

/** What is off keeps Envoy's own threshold, which then counts for nothing. */
function consecutive(field: 'consecutive5xx' | 'consecutiveGatewayFailure' | 'consecutiveLocalOriginFailure', threshold: number) {
  return threshold > 0 ? { [field]: threshold } : {};
}
