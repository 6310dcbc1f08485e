import { controlClusterName } from '../../core/xds/envoy/index.ts';

/** What Envoy's own counters say of how it is fed and what it does. */
export interface EnvoyFacts {
  /** Its stream to the control plane is open. */
  readonly connected: boolean;
  /** Unix ms of the last change of clusters or listeners that it took; undefined: none yet. */
  readonly updatedAt: number | undefined;
  /** Updates that it refused since it started, over all types. */
  readonly updateRejected: number;
  /** Connections of callers. */
  readonly connections: number;
  /** Exchanges and byte streams that are under way: connections without those that only wait for the next request. */
  readonly busy: number;
  /** Entries of its gRPC access log that nobody got, since it started. */
  readonly lostEntries: number;
}

const control = `cluster.${controlClusterName}.`;

/** For `/stats`: only what `readStats` looks at. */
export const statsPath = `/stats?format=json&usedonly&filter=${encodeURIComponent(
  [
    '\\.update_rejected$',
    '^control_plane\\.connected_state$',
    '^access_logs\\.grpc_access_log\\.(logs_dropped|grpc_entries_flush_failed)$',
    '^(cluster_manager\\.cds|listener_manager\\.lds)\\.update_time$',
    `^cluster\\.${controlClusterName}\\.upstream_(cx|rq)_active$`,
    '^listener\\..*\\.downstream_cx_active$',
    '^http\\..*\\.downstream_(cx|rq)_active$',
  ].join('|'),
)}`;

/** Pure. Undefined for what is not Envoy's answer to `statsPath`. */
export function readStats(body: string): EnvoyFacts | undefined {
  let stats: readonly { readonly name?: unknown; readonly value?: unknown }[];
  try {
    stats = (JSON.parse(body) as { stats: typeof stats }).stats;
  } catch {
    return undefined;
  }
  if (!Array.isArray(stats)) return undefined;
  const values = new Map<string, number>();
  for (const { name, value } of stats) if (typeof name === 'string' && typeof value === 'number') values.set(name, value);
  const of = (name: string) => values.get(name) ?? 0;
  const sum = (form: RegExp) => [...values].reduce((total, [name, value]) => (form.test(name) ? total + value : total), 0);
  const connections = sum(/^listener\.(?!admin\.).*\.downstream_cx_active$/) - sum(/^listener\..*\.worker_\d+\.downstream_cx_active$/);
  const http = sum(/^http\.(?!admin\.).*\.downstream_cx_active$/);
  const updatedAt = Math.max(of('cluster_manager.cds.update_time'), of('listener_manager.lds.update_time'));
  return {
    // Envoy calls a stream open that only waits for a connection; and its load reports are a stream to the same place.
    connected: of('control_plane.connected_state') > 0 && of(`${control}upstream_rq_active`) > 0 && of(`${control}upstream_cx_active`) > 0,
    updatedAt: updatedAt > 0 ? updatedAt : undefined,
    updateRejected: sum(/\.update_rejected$/),
    connections,
    lostEntries: of('access_logs.grpc_access_log.logs_dropped') + of('access_logs.grpc_access_log.grpc_entries_flush_failed'),
    busy: Math.max(0, connections - http) + sum(/^http\.(?!admin\.).*\.downstream_rq_active$/),
  };
}
