import type { AccessLogging } from '../../access-log/index.ts';
import { AccessLog, AccessLogFilter, LogTypeFilter } from '../gen/envoy/config/accesslog/v3/accesslog.ts';
import { AccessLogType } from '../gen/envoy/data/accesslog/v3/accesslog.ts';
import { ExpressionFilter } from '../gen/envoy/extensions/access_loggers/filters/cel/v3/cel.ts';
import { StdoutAccessLog } from '../gen/envoy/extensions/access_loggers/stream/v3/stream.ts';
import { packed } from './any.ts';

const common = {
  start_time: '%START_TIME%',
  connection_id: '%CONNECTION_ID%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  source_principal: '%DOWNSTREAM_PEER_URI_SAN%',
  source_cluster_san: '%DOWNSTREAM_PEER_DNS_SAN%',
  destination_principal: '%UPSTREAM_PEER_URI_SAN%',
  upstream_cluster: '%UPSTREAM_CLUSTER%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_mesh_cluster: '%UPSTREAM_METADATA(isthmus:cluster)%',
  upstream_runtime: '%UPSTREAM_METADATA(isthmus:runtime)%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  response_flags: '%RESPONSE_FLAGS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  upstream_request_attempt_count: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
} as const;

const http = {
  method: '%REQ(:METHOD)%',
  path: '%REQ(:PATH)%',
  protocol: '%PROTOCOL%',
  authority: '%REQ(:AUTHORITY)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  response_code: '%RESPONSE_CODE%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  route_name: '%ROUTE_NAME%',
} as const;

/** For logs: whose entries they are, and which of them are written. */
export interface ListenerLog {
  readonly name: string;
  /** Absent: everything. */
  readonly logging?: AccessLogging | undefined;
}

/** As in Istio's metrics: who tells it, the proxy of the caller or the mTLS end. */
export type Reporter = 'source' | 'destination';

/** One JSON object a line on stdout, with the names that our own proxies log under. */
function stdoutLog(
  { name, logging }: ListenerLog,
  reporter: Reporter,
  fields: Readonly<Record<string, string>>,
  always: readonly AccessLogFilter[] = [],
): AccessLog[] {
  const side = logging?.[reporter === 'source' ? 'client' : 'server'];
  if (side?.enabled === false) return [];
  const config = StdoutAccessLog.create({
    accessLogFormat: {
      $case: 'logFormat',
      value: { format: { $case: 'jsonFormat', value: { listener: name, reporter, ...fields } } },
    },
  });
  const typed = packed('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', StdoutAccessLog, config);
  const filters = [...always, ...(side?.filter === undefined ? [] : [expression(side.filter)])];
  const [first, second] = filters;
  const all = AccessLogFilter.create({ filterSpecifier: { $case: 'andFilter', value: { filters } } });
  const filter = first === undefined ? {} : { filter: second === undefined ? first : all };
  return [AccessLog.create({ name: 'envoy.access_loggers.stdout', configType: { $case: 'typedConfig', value: typed }, ...filter })];
}

function expression(text: string): AccessLogFilter {
  const typed = packed('envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter', ExpressionFilter, { expression: text });
  const value = { name: 'envoy.access_loggers.extension_filters.cel', configType: { $case: 'typedConfig' as const, value: typed } };
  return AccessLogFilter.create({ filterSpecifier: { $case: 'extensionFilter', value } });
}

/** `marks`: fields beside those of every entry. */
export function requestLog(log: ListenerLog, reporter: Reporter, marks: Readonly<Record<string, string>> = {}): AccessLog[] {
  return stdoutLog(log, reporter, { type: 'http', ...http, ...common, ...marks });
}

/** Those that tell of a stream's beginning are for counting alone. */
const atTheEnd = AccessLogFilter.create({
  filterSpecifier: {
    $case: 'logTypeFilter',
    value: LogTypeFilter.create({ types: [AccessLogType.TcpUpstreamConnected], exclude: true }),
  },
});

export function connectionLog(log: ListenerLog, reporter: Reporter, marks: Readonly<Record<string, string>> = {}): AccessLog[] {
  return stdoutLog(log, reporter, { type: 'tcp', ...common, ...marks }, [atTheEnd]);
}
