import type { ClusterTable, ConnectionReport } from '../engine/index.ts';
import type { RequestReport } from '../forward/index.ts';
import type { EndpointState } from '../state/index.ts';

type Entry = Readonly<Record<string, unknown>>;

/** Field names are Istio's JSON access log's, with what only this mesh knows beside them. `-` where Istio says so. */
export function requestEntry(report: RequestReport, cluster: ClusterTable | undefined, localIdentity: string): Entry {
  const { connection } = report;
  return {
    type: 'http',
    start_time: new Date(report.startedAt).toISOString(),
    method: report.method,
    path: report.path,
    protocol: report.protocol,
    authority: report.authority,
    user_agent: report.userAgent,
    request_id: report.requestId,
    response_code: report.status,
    ...(report.grpcStatus === undefined ? {} : { grpc_status: report.grpcStatus === '' ? null : Number(report.grpcStatus) }),
    response_code_details: report.detail,
    ...common({ ...connection, clusterName: report.clusterName }, report.upstream, cluster, localIdentity),
    ...authzFields(report.authz),
    ...(report.routeName === '' ? {} : { route_name: report.routeName }),
    response_flags: report.flags.join(',') || '-',
    upstream_request_attempt_count: report.attempts,
    bytes_received: report.bytesReceived,
    bytes_sent: report.bytesSent,
    duration: Math.round(report.durationMs),
  };
}

export function connectionEntry(report: ConnectionReport, cluster: ClusterTable | undefined, localIdentity: string, nowMs: number): Entry {
  return {
    type: 'tcp',
    // Of so many that were alike, and too many to be written one by one: sums, but for what names one of them.
    ...(report.count === undefined ? {} : { connections: report.count }),
    start_time: new Date(nowMs - report.durationMs).toISOString(),
    outcome: report.outcome,
    ...common({ ...report, end: report.end }, report.upstream, cluster, localIdentity),
    response_flags: report.flags.join(',') || '-',
    connection_termination_details: report.reason === '' ? null : `${report.reason}: ${report.detail}`,
    upstream_request_attempt_count: report.attempts,
    bytes_received: report.bytesReceived,
    bytes_sent: report.bytesSent,
    duration: Math.round(report.durationMs),
  };
}

function authzFields({ ruled, audited }: NonNullable<RequestReport['authz']> = {}): Entry {
  return { ...(ruled === undefined ? {} : { authz_rule: ruled.name }), ...(audited === undefined ? {} : { authz_audit: audited }) };
}

interface Common {
  readonly id: string;
  readonly listener: string;
  readonly sni: string;
  readonly clusterName: string;
  readonly peer?: { readonly spiffeId: string; readonly cluster: string };
  readonly end?: unknown;
  readonly source: { readonly address: string; readonly port: number };
  readonly destination: { readonly address: string; readonly port: number };
}

function common(c: Common, upstream: EndpointState | undefined, cluster: ClusterTable | undefined, localIdentity: string): Entry {
  const inbound = c.end !== undefined;
  return {
    reporter: inbound ? 'destination' : 'source',
    connection_id: c.id,
    listener: c.listener,
    route_name: c.sni === '' ? c.listener : c.sni,
    requested_server_name: c.sni === '' ? null : c.sni,
    downstream_remote_address: `${c.source.address}:${c.source.port}`,
    downstream_local_address: `${c.destination.address}:${c.destination.port}`,
    source_principal: c.peer?.spiffeId ?? null,
    source_cluster: c.peer?.cluster ?? null,
    destination_principal: inbound ? localIdentity : (upstream?.tls?.uriSans[0] ?? null),
    destination_service: cluster?.host ?? null,
    upstream_cluster: c.clusterName === '' ? null : c.clusterName,
    upstream_host: upstream === undefined ? null : `${upstream.address}:${upstream.port}`,
    upstream_mesh_cluster: upstream?.cluster || null,
    upstream_runtime: upstream?.runtime || null,
    upstream_via_gateway: upstream?.viaGateway ?? null,
  };
}
