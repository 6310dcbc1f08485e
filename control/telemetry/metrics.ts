import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { version } from '../../core/version.ts';
import { createMigrationMetrics, type MigrationMetrics } from './migration-metrics.ts';
import { createMtlsMetrics, type MtlsMetrics } from './mtls-metrics.ts';
import { createRefusalCounter, type RefusalCounter } from './refusals.ts';

/** What the control plane counts, by the names that dashboards and alert rules use. Served at /metrics of the health listener. */
export interface ControlMetrics {
  readonly registry: Registry;
  /** 1 for the state a source is in. Labels: cluster, source, state. */
  readonly sourceState: Gauge<'cluster' | 'source' | 'state'>;
  /** Age of a source's data in s. */
  readonly sourceAge: Gauge<'cluster' | 'source'>;
  readonly endpoints: Gauge<'cluster' | 'source'>;
  readonly peerConnected: Gauge<'peer'>;
  readonly peerDataAge: Gauge<'peer'>;
  /** Objects of an owner by how a cluster holds them. Labels: owner, holder, state (in-sync, lags, missing, refused, extra, unknown). */
  readonly sharedObjects: Gauge<'owner' | 'holder' | 'state'>;
  /** Clients with an ADS stream. */
  readonly xdsClients: Gauge<'role'>;
  /** Of clients, resources whose newest version they do not have: refused by them (client), or never sent as it cannot be encoded (encoding). */
  readonly xdsRefused: Gauge<'type' | 'cause'>;
  /** Resources pushed, by what the client said. Labels: type, outcome (ack, nack). */
  readonly xdsPushes: Counter<'type' | 'outcome'>;
  /** From a change in the catalog until clients were sent it, in s. */
  readonly convergence: Histogram;
  /** Unix time in s at which a certificate ends. */
  readonly certificateExpiry: Gauge<'name' | 'kind'>;
  /** VMs and gateways by the furthest stage that they have reached. */
  readonly instances: Gauge<'stage'>;
  /** 1 for those that are no further than this stage, whoever is worst first, and no more than a dashboard can show. */
  readonly instanceStage: Gauge<'namespace' | 'instance' | 'stage'>;
  readonly clonesSuspected: Gauge;
  readonly certificatesIssued: Counter<'kind' | 'outcome'>;
  readonly apiRequests: Counter<'route' | 'code'>;
  readonly auditFailures: Counter;
  readonly configReloads: Counter<'outcome'>;
  /** Credentials and requests that were refused; through `Refusals` alone. */
  readonly refusals: RefusalCounter;
  readonly migrations: MigrationMetrics;
  readonly mtls: MtlsMetrics;
}

/** A registry of its own, so that several control planes can run in one process. */
export function createMetrics(labels: { readonly cluster: string }): ControlMetrics {
  const registry = new Registry();
  registry.setDefaultLabels({ isthmus_cluster: labels.cluster });
  const registers = [registry];
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name, help, labelNames, registers });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name, help, labelNames, registers });
  gauge('isthmus_build_info', 'Always 1; the version is a label.', ['version']).set({ version }, 1);
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    sourceState: gauge('isthmus_source_state', '1 for the state a source is in.', ['cluster', 'source', 'state']),
    sourceAge: gauge('isthmus_source_data_age_seconds', 'Age of the data of a source.', ['cluster', 'source']),
    endpoints: gauge('isthmus_endpoints', 'Endpoints in the catalog.', ['cluster', 'source']),
    peerConnected: gauge('isthmus_peer_connected', '1 while a stream to the peer stands.', ['peer']),
    peerDataAge: gauge('isthmus_peer_data_age_seconds', 'Age of what is known of a peer.', ['peer']),
    sharedObjects: gauge('isthmus_shared_objects', 'Objects of an owner, by how a cluster holds them.', ['owner', 'holder', 'state']),
    xdsClients: gauge('isthmus_xds_clients', 'Clients with an ADS stream.', ['role']),
    xdsRefused: gauge('isthmus_xds_refused_resources', 'Resources of clients that stay on an older version.', ['type', 'cause']),
    xdsPushes: counter('isthmus_xds_responses_total', 'Resources that clients answered for.', ['type', 'outcome']),
    convergence: new Histogram({
      name: 'isthmus_convergence_seconds',
      help: 'From a change in the catalog until it was sent.',
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
      registers,
    }),
    certificateExpiry: gauge('isthmus_certificate_expiry_timestamp_seconds', 'When a certificate ends.', ['name', 'kind']),
    instances: gauge('isthmus_instances', 'VMs and gateways, by the furthest stage that they have reached.', ['stage']),
    instanceStage: gauge(
      'isthmus_instance_stage',
      '1 for the stage that an instance has come to; at most 500, those that are furthest from serving first.',
      ['namespace', 'instance', 'stage'],
    ),
    clonesSuspected: gauge('isthmus_clones_suspected', 'Instances that two machines present by turns.'),
    certificatesIssued: counter('isthmus_certificates_issued_total', 'Certificates asked for.', ['kind', 'outcome']),
    apiRequests: counter('isthmus_api_requests_total', 'Calls of the admin API.', ['route', 'code']),
    auditFailures: counter('isthmus_audit_failures_total', 'Changes that could not be written to the audit log.'),
    configReloads: counter('isthmus_config_reloads_total', 'Reloads of the configuration.', ['outcome']),
    refusals: createRefusalCounter(registry),
    migrations: createMigrationMetrics(registry),
    mtls: createMtlsMetrics(registry),
  };
}
