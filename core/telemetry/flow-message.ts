import { Flow as FlowMessage, Reporter as ReporterMessage } from '../xds/gen/isthmus/telemetry/v1/telemetry.ts';
import { boundedCode, type FlowCounts, type FlowKey, increase, noCounts, type Reporter } from './flow.ts';
import type { Flow } from './flow-recorder.ts';
import { lastLatencyBucket } from './latency-histogram.ts';

const reporters: Readonly<Record<Reporter, ReporterMessage>> = {
  source: ReporterMessage.SOURCE,
  destination: ReporterMessage.DESTINATION,
  gateway: ReporterMessage.GATEWAY,
};

/** As it goes over the wire. */
export function flowMessage({ key, counts }: Flow): FlowMessage {
  const pairs = (map: ReadonlyMap<number, number>) => [...map].map(([value, count]) => ({ value, count }));
  return FlowMessage.create({
    reporter: reporters[key.reporter],
    sourcePrincipal: key.sourcePrincipal,
    sourceCluster: key.sourceCluster,
    route: key.route,
    cluster: key.cluster,
    groupCluster: key.group.cluster,
    groupLocality: key.group.locality,
    groupRuntime: key.group.runtime,
    viaGateway: key.group.viaGateway,
    requests: counts.requests,
    connections: counts.connections,
    opened: counts.opened,
    failed: counts.failed,
    attempts: counts.attempts,
    bytesReceived: counts.bytesReceived,
    bytesSent: counts.bytesSent,
    codes: pairs(counts.codes),
    grpcCodes: pairs(counts.grpcCodes),
    flags: [...counts.flags].map(([flag, count]) => ({ flag, count })),
    latency: pairs(counts.latency),
    latencySumMs: counts.latencySumMs,
  });
}

const longestName = 512;
const mostPairs = 1_024;

/** Undefined for what no proxy of ours says: names too long, numbers that are none, an unknown reporter. */
export function parseFlow(message: FlowMessage): Flow | undefined {
  const reporter = (Object.keys(reporters) as Reporter[]).find((each) => reporters[each] === message.reporter);
  const { sourcePrincipal, sourceCluster, route, cluster, groupCluster, groupLocality, groupRuntime, viaGateway } = message;
  const names = [sourcePrincipal, sourceCluster, route, cluster, groupCluster, groupLocality, groupRuntime];
  if (reporter === undefined || names.some((name) => name.length > longestName || name.includes('\n'))) return undefined;
  const counts = parseCounts(message);
  if (counts === undefined) return undefined;
  const group = { cluster: groupCluster, locality: groupLocality, runtime: groupRuntime, viaGateway };
  const key: FlowKey = { reporter, sourcePrincipal, sourceCluster, route, cluster, group };
  return { key, counts };
}

function parseCounts(message: FlowMessage): FlowCounts | undefined {
  const { requests, connections, opened, failed, attempts, bytesReceived, bytesSent, latencySumMs, codes, grpcCodes, flags, latency } =
    message;
  const pairs = [codes, grpcCodes, flags, latency];
  const numbers = [
    requests,
    connections,
    opened,
    failed,
    attempts,
    bytesReceived,
    bytesSent,
    latencySumMs,
    ...pairs.flatMap((list) => list.map((p) => p.count)),
  ];
  if (pairs.some((list) => list.length > mostPairs) || numbers.some((n) => !Number.isFinite(n) || n < 0)) return undefined;
  const counts: FlowCounts = { ...noCounts(), requests, connections, opened, failed, attempts, bytesReceived, bytesSent, latencySumMs };
  for (const { value, count } of codes) increase(counts.codes, boundedCode(value), count);
  for (const { value, count } of grpcCodes) increase(counts.grpcCodes, boundedCode(value), count);
  for (const { flag, count } of flags) increase(counts.flags, flag.slice(0, 8), count);
  for (const { value, count } of latency) increase(counts.latency, Math.min(lastLatencyBucket, value), count);
  return counts;
}
