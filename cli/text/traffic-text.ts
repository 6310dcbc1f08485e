import type { Traffic, TrafficItem } from '../../core/admin/index.ts';
import { table } from './table.ts';

/** Pure. */
export function trafficText(traffic: Traffic): string {
  const { seconds, reporters, foldedKeys, flows } = traffic;
  const known = `${reporters} ${reporters === 1 ? 'proxy reports' : 'proxies report'}, known for the last ${Math.round(seconds / 60)} min`;
  if (flows.length === 0) {
    return reporters === 0 ? 'nothing is known: no proxy has reported\n' : `no traffic was seen; ${known}\n`;
  }
  const header = [
    'SOURCE',
    'DESTINATION',
    'ROUTE',
    'ENDPOINTS',
    'REQUESTS',
    'RATE',
    'SUCCESS',
    'P50',
    'P99',
    'STREAMS',
    'ATTEMPTS',
    'REPORTER',
  ];
  const rows = flows.map((flow) => row(flow, seconds));
  const folded = foldedKeys === 0 ? '' : `${foldedKeys} kinds of traffic were counted together: there are too many to tell apart\n`;
  return `${table(header, rows)}\n\n${known}\n${folded}`;
}

function row(flow: TrafficItem, seconds: number): string[] {
  const { source, destination, port, subset, route, requests, connections, attempts, success, latency, reporter, folded } = flow;
  const [, , namespace = '', , account = ''] = source.split('/');
  const to = destination === '' ? '-' : `${destination}${port === 0 ? '' : `:${port}`}${subset === '' ? '' : ` (${subset})`}`;
  return [
    folded ? '(others)' : source === '' ? '-' : `${namespace}/${account}${flow.sourceCluster === '' ? '' : `@${flow.sourceCluster}`}`,
    to,
    route === '' ? '-' : route,
    endpoints(flow),
    String(requests),
    seconds === 0 ? '-' : `${(requests / seconds).toPrecision(3)}/s`,
    success === null ? '-' : `${(100 * success).toFixed(2)}%`,
    latency === null ? '-' : ms(latency.p50),
    latency === null ? '-' : ms(latency.p99),
    String(connections),
    String(attempts),
    reporter,
  ];
}

function endpoints({ cluster, locality, runtime, viaGateway }: TrafficItem): string {
  if (cluster === '') return '-';
  return `${[cluster, runtime, locality].filter((part) => part !== '').join(' ')}${viaGateway ? ' via gateway' : ''}`;
}

function ms(value: number): string {
  return value < 1_000 ? `${value.toPrecision(2)}ms` : `${(value / 1_000).toPrecision(3)}s`;
}
