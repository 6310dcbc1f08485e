import { Counter, Gauge, type Registry } from 'prom-client';
import type { ClusterTable, ConnectionReport, PeerIdentity, ResponseFlag } from '../engine/index.ts';
import type { RequestReport } from '../forward/index.ts';
import type { EndpointState } from '../state/index.ts';
import { RequestSeries } from './request-series.ts';
import { StreamSeries } from './stream-series.ts';

/** Istio's standard labels (Istio Standard Metrics) that a data plane without workload metadata can fill truthfully; the others are `unknown`, as Istio's own proxies say. */
const labels = [
  'reporter',
  'source_workload',
  'source_workload_namespace',
  'source_principal',
  'source_cluster',
  'destination_workload',
  'destination_workload_namespace',
  'destination_principal',
  'destination_service',
  'destination_service_name',
  'destination_service_namespace',
  'destination_cluster',
  'request_protocol',
  'response_flags',
  'connection_security_policy',
] as const;

const httpLabels = [...labels, 'grpc_response_status', 'response_code'] as const;

type Label = (typeof labels)[number];

const seriesOf = new WeakMap<Registry, RequestSeries>();
const streamsOf = new WeakMap<Registry, StreamSeries>();

export interface TrafficFacts {
  readonly peer: PeerIdentity | undefined;
  /** This data plane was the mTLS end. */
  readonly inbound: boolean;
  readonly cluster: ClusterTable | undefined;
  readonly upstream: EndpointState | undefined;
  readonly protocol: string;
  readonly flags: readonly ResponseFlag[];
}

/** Istio's metrics, registered once per registry; several data planes of one process share them. */
export class TrafficMetrics {
  readonly #node: { readonly cluster: string; readonly spiffeId: () => string };
  readonly #requests: RequestSeries;
  readonly #streams: StreamSeries;
  readonly #refused: Counter;
  readonly #overflows: Counter;
  readonly #checks: Counter;

  constructor(registry: Registry, node: { readonly cluster: string; readonly spiffeId: () => string }) {
    this.#node = node;
    const counter = (name: string, help: string, labelNames: readonly string[]) =>
      (registry.getSingleMetric(name) as Counter | undefined) ??
      new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
    this.#requests = seriesOf.get(registry) ?? new RequestSeries(registry, httpLabels);
    seriesOf.set(registry, this.#requests);
    this.#streams = streamsOf.get(registry) ?? new StreamSeries(registry, labels);
    streamsOf.set(registry, this.#streams);
    this.#refused = counter('isthmus_connections_refused_total', 'Connections that ended before they led anywhere, by reason', [
      'listener',
      'reason',
    ]);
    this.#overflows = counter(
      'isthmus_upstream_overflow_total',
      'Connections, requests waiting for one, and copies for mirrors, beyond the limits of a cluster',
      ['cluster', 'limit'],
    );
    this.#checks = counter('isthmus_upstream_health_checks_total', 'Active health checks of endpoints, by what they found', [
      'cluster',
      'result',
    ]);
  }

  overflow(cluster: string, limit: string): void {
    this.#overflows.inc({ cluster, limit });
  }

  checked(cluster: string, result: string): void {
    this.#checks.inc({ cluster, result });
  }

  request(report: RequestReport, facts: TrafficFacts): void {
    const { status, grpcStatus = '' } = report;
    this.#requests.record(`${this.#keyOf(facts)}${grpcStatus}\n${status}`, report, () => ({
      ...this.#labels(facts),
      grpc_response_status: grpcStatus,
      response_code: String(status),
    }));
  }

  connection(report: ConnectionReport, facts: TrafficFacts): void {
    if (report.outcome === 'refused') this.#refused.inc({ listener: report.listener, reason: report.reason }, report.count ?? 1);
    if (report.outcome !== 'forward') return;
    this.#streams.record(this.#keyOf(facts), report, () => this.#labels(facts));
  }

  /** Another one for each set of labels. Nothing that it is made of has a line break. */
  #keyOf({ peer, inbound, cluster, upstream, protocol, flags }: TrafficFacts): string {
    const from = peer === undefined ? '' : `${peer.spiffeId}\n${peer.cluster}`;
    const to = cluster === undefined ? '' : `${cluster.host}\n${cluster.namespace}\n${cluster.service}`;
    const at = upstream === undefined ? '' : `${upstream.instance}\n${upstream.cluster}\n${upstream.tls?.uriSans[0] ?? ''}`;
    return `${inbound ? 'in' : 'out'}\n${this.#node.spiffeId()}\n${from}\n${to}\n${at}\n${protocol}\n${flags.join()}\n`;
  }

  #labels({ peer, inbound, cluster, upstream, protocol, flags }: TrafficFacts): Record<Label, string> {
    const own = this.#node.spiffeId();
    const expected = upstream?.tls?.uriSans[0];
    return {
      reporter: inbound ? 'destination' : 'source',
      source_workload: peer?.serviceAccount ?? 'unknown',
      source_workload_namespace: peer?.namespace ?? 'unknown',
      source_principal: peer?.spiffeId ?? (inbound || expected === undefined ? 'unknown' : own),
      source_cluster: peer?.cluster ?? (inbound ? 'unknown' : this.#node.cluster),
      destination_workload: upstream?.instance || 'unknown',
      destination_workload_namespace: cluster?.namespace ?? 'unknown',
      destination_principal: inbound ? own : (expected ?? 'unknown'),
      destination_service: cluster?.host ?? 'unknown',
      destination_service_name: cluster?.service ?? 'unknown',
      destination_service_namespace: cluster?.namespace ?? 'unknown',
      destination_cluster: inbound ? this.#node.cluster : upstream?.cluster || 'unknown',
      request_protocol: protocol,
      response_flags: flags.join(',') || '-',
      connection_security_policy: (inbound ? peer : expected) === undefined ? 'none' : 'mutual_tls',
    };
  }
}

/** When our certificate ends: the alert rule's input. */
export function registerCertificateExpiry(registry: Registry, notAfterMs: () => number): void {
  const name = 'isthmus_certificate_expiry_timestamp_seconds';
  if (registry.getSingleMetric(name) !== undefined) return;
  new Gauge({
    name,
    help: 'Unix time at which a certificate in use ends',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      this.set({ kind: 'svid' }, notAfterMs() / 1_000);
    },
  });
}
