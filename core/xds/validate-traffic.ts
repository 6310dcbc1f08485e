import type { ClusterTraffic, HashBalancer, HealthCheck, LoadBalancer, OutlierDetection } from './gen/isthmus/native/v1/traffic.ts';
import { HealthCheck_Type, OutsideTls_Mode } from './gen/isthmus/native/v1/traffic.ts';
import { checkPercent, type Report } from './report.ts';

/** Envoy's bounds. */
const mostRing = 8_388_608;
const mostMaglev = 5_000_011;

export function checkTraffic(traffic: ClusterTraffic, path: string, report: Report): void {
  const { loadBalancer, outlier, healthCheck, retryBudget, tls } = traffic;
  if (loadBalancer !== undefined) checkBalancer(loadBalancer, `${path}.loadBalancer`, report);
  if (outlier !== undefined) checkOutlier(outlier, `${path}.outlier`, report);
  if (healthCheck !== undefined) checkHealth(healthCheck, `${path}.healthCheck`, report);
  if (retryBudget !== undefined) checkPercent(retryBudget.percent, `${path}.retryBudget.percent`, report);
  if (tls === undefined) return;
  if (tls.mode !== OutsideTls_Mode.SIMPLE && tls.mode !== OutsideTls_Mode.MUTUAL) report(`${path}.tls.mode`, 'must be simple or mutual');
  if (tls.mode === OutsideTls_Mode.MUTUAL && (!tls.certFile || !tls.keyFile))
    report(`${path}.tls`, 'must name certificate and key files where mode is mutual');
}

function checkBalancer({ kind }: LoadBalancer, path: string, report: Report): void {
  if (kind?.$case === 'hash') {
    checkHash(kind.value, `${path}.hash`, report);
    return;
  }
  const warmup = kind?.value.warmup;
  if (warmup === undefined) return;
  if (warmup.durationMs === 0) report(`${path}.warmup.durationMs`, 'must be more than 0');
  checkPercent(warmup.minPercent, `${path}.warmup.minPercent`, report);
  if (!(warmup.aggression > 0) || warmup.aggression === Number.POSITIVE_INFINITY)
    report(`${path}.warmup.aggression`, 'must be more than 0');
}

function checkHash({ on, table }: HashBalancer, path: string, report: Report): void {
  const name = on?.$case === 'cookie' ? on.value.name : on?.$case === 'sourceAddress' ? 'address' : on?.value;
  if (name === '') report(`${path}.on`, 'must have a name');
  if (table?.$case === 'minimumRingSize' && table.value > mostRing) report(`${path}.minimumRingSize`, `must not be more than ${mostRing}`);
  if (table?.$case === 'maglevTableSize' && !(table.value <= mostMaglev && isPrime(table.value)))
    report(`${path}.maglevTableSize`, `must be a prime, at most ${mostMaglev}`);
}

function isPrime(n: number): boolean {
  if (n < 2) return false;
  for (let d = 2; d * d <= n; d += 1) if (n % d === 0) return false;
  return true;
}

function checkOutlier(outlier: OutlierDetection, path: string, report: Report): void {
  const { intervalMs, baseEjectionMs, maxEjectionMs, successRate } = outlier;
  if (intervalMs === 0) report(`${path}.intervalMs`, 'must be more than 0');
  if (baseEjectionMs === 0) report(`${path}.baseEjectionMs`, 'must be more than 0');
  if (maxEjectionMs < baseEjectionMs) report(`${path}.maxEjectionMs`, 'must not be less than baseEjectionMs');
  checkPercent(outlier.maxEjectionPercent, `${path}.maxEjectionPercent`, report);
  checkPercent(outlier.minHealthPercent, `${path}.minHealthPercent`, report);
  if (successRate !== undefined && !(successRate.stdevFactor >= 0 && successRate.stdevFactor < Number.POSITIVE_INFINITY))
    report(`${path}.successRate.stdevFactor`, 'must be 0 or more');
}

function checkHealth(check: HealthCheck, path: string, report: Report): void {
  const known = check.type === HealthCheck_Type.HTTP || check.type === HealthCheck_Type.TCP || check.type === HealthCheck_Type.GRPC;
  if (!known) return;
  if (check.type === HealthCheck_Type.HTTP && !check.path.startsWith('/')) report(`${path}.path`, 'must begin with a slash');
  for (const field of ['intervalMs', 'timeoutMs', 'healthyThreshold', 'unhealthyThreshold'] as const) {
    if (check[field] === 0) report(`${path}.${field}`, 'must be more than 0');
  }
  for (const [i, { from, to }] of check.expectedStatuses.entries()) {
    if (!(from >= 100 && from <= to && to <= 599)) report(`${path}.expectedStatuses[${i}]`, 'must go up, within 100-599');
  }
}
