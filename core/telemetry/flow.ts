import { type LatencyHistogram, latencyBucket } from './latency-histogram.ts';

/** Who counted: the caller's own proxy, the mTLS end beside the application, or a gateway on the way. */
export type Reporter = 'source' | 'destination' | 'gateway';

/** Endpoints of one place: as fine as counts are told apart below the service. */
export interface EndpointGroup {
  /** Mesh cluster. Empty: no endpoint was reached. */
  readonly cluster: string;
  /** region/zone/subzone. */
  readonly locality: string;
  readonly runtime: string;
  readonly viaGateway: boolean;
}

export const noGroup: EndpointGroup = { cluster: '', locality: '', runtime: '', viaGateway: false };

/** What a proxy tells counts apart by. */
export interface FlowKey {
  readonly reporter: Reporter;
  /** Without the scheme, as its certificate proved it. Empty: unknown, or whoever reports. */
  readonly sourcePrincipal: string;
  readonly sourceCluster: string;
  /** Name of the rule; empty: none. */
  readonly route: string;
  /** xDS cluster; empty: the proxy answered itself. */
  readonly cluster: string;
  readonly group: EndpointGroup;
}

/** Sums over some time. Owned by whoever made it; two of them add up. */
export interface FlowCounts {
  requests: number;
  /** Byte streams, when they end. */
  connections: number;
  /** Byte streams, when they begin, and those that could not be made. Only of proxies that count them. */
  opened: number;
  /** Byte streams that could not be made. */
  failed: number;
  /** What endpoints were tried for them, counted where the last try went: first tries, retries, and copies for mirrors, which are no requests. */
  attempts: number;
  /** Bytes of bodies and streams, from the caller and to it. */
  bytesReceived: number;
  bytesSent: number;
  /** HTTP status → requests; 0: none was sent. */
  readonly codes: Map<number, number>;
  /** gRPC status → calls answered 200: what failed as HTTP is told by `codes`, and what its caller gave up has no status. */
  readonly grpcCodes: Map<number, number>;
  /** Envoy's response flag → requests and connections. */
  readonly flags: Map<string, number>;
  /** Of requests, and not of byte streams. */
  readonly latency: LatencyHistogram;
  latencySumMs: number;
}

/** One request or byte stream, the beginning of a byte stream, or a copy of a request, which counts as an attempt alone. */
export interface Observation {
  readonly kind: 'request' | 'connection' | 'opened' | 'copy';
  /** Of a connection: it could not be made, so that nothing has told of its beginning. */
  readonly failed?: boolean;
  readonly attempts: number;
  readonly code?: number;
  readonly grpcCode?: number;
  readonly flags: readonly string[];
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** ms. */
  readonly duration: number;
}

export function noCounts(): FlowCounts {
  return {
    requests: 0,
    connections: 0,
    opened: 0,
    failed: 0,
    attempts: 0,
    bytesReceived: 0,
    bytesSent: 0,
    codes: new Map(),
    grpcCodes: new Map(),
    flags: new Map(),
    latency: new Map(),
    latencySumMs: 0,
  };
}

export function observe(counts: FlowCounts, seen: Observation): void {
  if (seen.kind === 'request') {
    counts.requests += 1;
    increase(counts.codes, boundedCode(seen.code ?? 0), 1);
    increase(counts.latency, latencyBucket(seen.duration), 1);
    counts.latencySumMs += seen.duration;
    if (seen.grpcCode !== undefined && hasGrpcStatus(seen)) increase(counts.grpcCodes, boundedCode(seen.grpcCode), 1);
  } else if (seen.kind === 'opened') counts.opened += 1;
  else if (seen.kind === 'connection') {
    const failed = seen.failed === true ? 1 : 0;
    counts.connections += 1;
    counts.opened += failed;
    counts.failed += failed;
  }
  counts.attempts += seen.attempts;
  counts.bytesReceived += seen.bytesReceived;
  counts.bytesSent += seen.bytesSent;
  for (const flag of seen.flags) increase(counts.flags, flag, 1);
}

/** Where there is none Envoy makes one of what HTTP says. */
function hasGrpcStatus({ code = 200, flags }: Observation): boolean {
  return code === 200 && !flags.includes('DC');
}

/** Those that servers and what is between are to blame for, as OpenTelemetry's conventions for RPC have them. */
const grpcFailures: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);

/** Requests answered 5xx, or not at all, and gRPC calls that failed though HTTP did not. */
export function failedRequests({ codes, grpcCodes }: Pick<FlowCounts, 'codes' | 'grpcCodes'>): number {
  let failed = 0;
  for (const [code, n] of codes) if (code === 0 || code >= 500) failed += n;
  for (const [code, n] of grpcCodes) if (grpcFailures.has(code)) failed += n;
  return failed;
}

/** Adds `more` to `sum`. */
export function addCounts(sum: FlowCounts, more: FlowCounts): void {
  sum.requests += more.requests;
  sum.connections += more.connections;
  sum.opened += more.opened;
  sum.failed += more.failed;
  sum.attempts += more.attempts;
  sum.bytesReceived += more.bytesReceived;
  sum.bytesSent += more.bytesSent;
  sum.latencySumMs += more.latencySumMs;
  for (const [code, n] of more.codes) increase(sum.codes, code, n);
  for (const [code, n] of more.grpcCodes) increase(sum.grpcCodes, code, n);
  for (const [flag, n] of more.flags) increase(sum.flags, flag, n);
  for (const [bucket, n] of more.latency) increase(sum.latency, bucket, n);
}

export function increase<K>(map: Map<K, number>, key: K, by: number): void {
  map.set(key, (map.get(key) ?? 0) + by);
}

/** An application may answer with any number: those that are none of HTTP's are one. */
export function boundedCode(code: number): number {
  return Number.isInteger(code) && code >= 0 && code <= 599 ? code : 999;
}

/** Equal for equal keys. */
export function flowKeyText(key: FlowKey): string {
  const { cluster, locality, runtime, viaGateway } = key.group;
  const names = `${key.reporter}\n${key.sourcePrincipal}\n${key.sourceCluster}\n${key.route}\n${key.cluster}`;
  return `${names}\n${cluster}\n${locality}\n${runtime}\n${viaGateway ? 'via' : ''}`;
}
