import type {
  Conflict,
  DriftSummary,
  FindingsStatus,
  GatewayStatus,
  PeerStatus,
  ServiceStatus,
  SourceStatus,
  Status,
} from '../../core/admin/index.ts';
import type { ExportPolicyObject } from '../../core/config/index.ts';
import { clusterId, clusterSetHost, meshHost, type ServicePort } from '../../core/model/index.ts';
import type { TrustBundle } from '../../core/pki/index.ts';
import { parseCertificate } from '../../core/pki/index.ts';
import { version } from '../../core/version.ts';
import { type CatalogView, exportingPolicies, type MergedService, type SourceReport } from '../catalog/index.ts';
import type { Reported } from '../objects/index.ts';
import { findGatewayPort, type GatewayPort } from '../snapshot/index.ts';
import type { LoadStatus } from '../telemetry/loads/index.ts';
import type { ReporterStatus } from '../telemetry/traffic/index.ts';
import type { XdsClientStatus } from '../xds/index.ts';

/** Everything `isthmus status` is made from, at one moment. */
export interface StatusInput {
  readonly view: CatalogView;
  readonly sources: readonly SourceReport[];
  readonly clients: readonly XdsClientStatus[];
  /** Who says what traffic it carries. */
  readonly reporters: readonly ReporterStatus[];
  readonly loads: readonly LoadStatus[];
  readonly peers: readonly PeerStatus[];
  readonly trust: TrustBundle;
  readonly network: string;
  readonly hostSuffix: string;
  readonly exports: readonly ExportPolicyObject[];
  readonly gatewayPorts: readonly GatewayPort[];
  /** From publishing, snapshots and configuration. */
  readonly conflicts: readonly Conflict[];
  readonly configViolations: readonly string[];
  readonly drift: DriftSummary;
  /** Of the analysis of traffic objects. */
  readonly findings: readonly Reported[];
  /** Unix ms. */
  readonly now: number;
}

/** Pure. Sorted, so that two looks can be compared. */
export function buildStatus(input: StatusInput): Status {
  const { view, trust, now } = input;
  const reporters = new Map(input.reporters.map((each) => [each.id, each]));
  const loads = new Map(input.loads.map((each) => [each.id, each]));
  const services = [...view.services.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    cluster: view.cluster,
    trustDomain: trust.trustDomain,
    network: input.network,
    version,
    time: new Date(now).toISOString(),
    partial: false,
    sources: input.sources.map(sourceStatus),
    services: services.map((service) => serviceStatus(service, input)),
    peers: [...input.peers],
    gateways: gatewayStatus(view),
    clients: input.clients.map((client) => ({
      ...clientStatus(client, now),
      ...telemetryOf(reporters.get(client.id)),
      ...loadOf(loads.get(client.id)),
    })),
    certificates: certificates(trust, now),
    conflicts: [...catalogConflicts(view), ...missingAnchors(input.clients, trust), ...input.conflicts],
    drift: input.drift,
    findings: findingsStatus(input.findings),
    configViolations: [...input.configViolations],
  };
}

const findingsShown = 5;

function findingsStatus(all: readonly Reported[]): FindingsStatus {
  const errors = all.filter((f) => f.severity === 'error');
  const warnings = all.filter((f) => f.severity !== 'error');
  const first = [...errors, ...warnings].slice(0, findingsShown).map(({ severity, code, object, path, message }) => {
    return { severity, code, object: `${object.kind} ${object.namespace}/${object.name}`, path, message };
  });
  return { errors: errors.length, warnings: warnings.length, first };
}

function sourceStatus(report: SourceReport): SourceStatus {
  return {
    cluster: report.cluster,
    source: report.source,
    runtime: report.runtime ?? '',
    state: report.state,
    ageMs: report.ageMs === undefined ? null : Math.round(report.ageMs),
    services: report.services,
    endpoints: report.endpoints,
    ...(report.error === undefined ? {} : { error: report.error }),
  };
}

function serviceStatus(service: MergedService, input: StatusInput): ServiceStatus {
  const groups = new Map<string, ServiceStatus['endpoints'][number]>();
  for (const e of service.endpoints) {
    const key = `${e.cluster} ${e.source} ${e.network} ${e.runtime}`;
    const before = groups.get(key) ?? {
      cluster: e.cluster,
      runtime: e.runtime,
      source: e.source,
      network: e.network,
      healthy: 0,
      unhealthy: 0,
      draining: 0,
      stale: 0,
    };
    const column = e.health === 'healthy' ? 'healthy' : e.health === 'draining' ? 'draining' : 'unhealthy';
    groups.set(key, { ...before, [column]: before[column] + 1, stale: before.stale + (e.state === 'stale' ? 1 : 0) });
  }
  const exported = input.view.local.get(service.key);
  return {
    namespace: service.namespace,
    name: service.name,
    hosts: [meshHost(service, input.hostSuffix), clusterSetHost(service)],
    ports: service.ports.map((p) => portStatus(service, p, input)),
    audience: exported === undefined ? [] : audienceOf(exported, input.exports),
    endpoints: [...groups.values()].sort((a, b) => (`${a.cluster} ${a.source}` < `${b.cluster} ${b.source}` ? -1 : 1)),
  };
}

function portStatus(service: MergedService, { name, port, protocol }: ServicePort, input: StatusInput): ServiceStatus['ports'][number] {
  const entry = findGatewayPort(input.gatewayPorts, service.key, port);
  return { name, port, protocol, ...(entry === undefined ? {} : { gatewayPort: entry.gatewayPort }) };
}

/** Clusters, or `*`, that a service is exported to, sorted. */
function audienceOf(service: MergedService, policies: readonly ExportPolicyObject[]): string[] {
  const named = new Set(policies.flatMap((p) => p.spec.audience));
  return [...named].filter((cluster) => exportingPolicies(service, clusterId(cluster), policies).length > 0).sort();
}

function gatewayStatus(view: CatalogView): GatewayStatus[] {
  return [...view.gateways.values()].flat().map((g) => ({ ...g, addresses: [...g.addresses] }));
}

function clientStatus(client: XdsClientStatus, now: number): Status['clients'][number] {
  return {
    instance: client.instance,
    role: client.kind,
    dialect: client.dialect,
    ...(client.engine === undefined ? {} : { engine: client.engine }),
    identity: client.identity,
    network: client.network,
    connected: true,
    ageMs: Math.max(0, now - (client.lastAnswerAt ?? client.connectedAt)),
    dataAgeMs: Math.round(client.dataAgeMs),
    resources: client.types.reduce((sum, type) => sum + type.acked, 0),
    refused: client.types.flatMap((type) =>
      type.refused.map(({ name, version, reason }) => ({ type: type.typeUrl, name, version, reason })),
    ),
  };
}

function telemetryOf(reporter: ReporterStatus | undefined): Partial<Status['clients'][number]> {
  return reporter === undefined ? {} : { telemetryAgeMs: Math.round(reporter.ageMs), telemetryDropped: reporter.dropped };
}

function loadOf(load: LoadStatus | undefined): Partial<Status['clients'][number]> {
  if (load === undefined) return {};
  const { ageMs, sent, failed, dropped, inProgress } = load;
  return { load: { ageMs: Math.round(ageMs), sent, failed, dropped, inProgress } };
}

/** Proxyless programs take trust from their bootstrap alone: what joined later is not theirs until they are told, or was left out on purpose. */
function missingAnchors(clients: readonly XdsClientStatus[], trust: TrustBundle): Conflict[] {
  const clusters = [...new Set(trust.intermediates.map((i) => i.cluster))].sort();
  return clients.flatMap(({ dialect, instance, anchors }) => {
    const missing = dialect === 'grpc' ? clusters.filter((cluster) => !anchors.includes(cluster)) : [];
    const message = `its bootstrap has no anchor of ${missing.join(', ')}, whose endpoints it is not sent: make a new one with isthmus grpc bootstrap`;
    return missing.length === 0 ? [] : [{ kind: 'NoAnchor', subject: instance, message }];
  });
}

function certificates(trust: TrustBundle, now: number): Status['certificates'] {
  const entry = (name: string, kind: 'root' | 'intermediate', der: Uint8Array): Status['certificates'] => {
    const parsed = parseCertificate(der);
    if (!parsed.ok) return [];
    const { notBefore, notAfter } = parsed.value;
    const state = notAfter <= now ? 'expired' : notAfter - now < (notAfter - notBefore) / 3 ? 'expiring' : 'ok';
    return [{ name, kind, notAfter: new Date(notAfter).toISOString(), state }];
  };
  return [
    ...trust.roots.flatMap((der) => entry(trust.trustDomain, 'root', der)),
    ...trust.intermediates.flatMap((i) => entry(i.cluster, 'intermediate', i.certificate)),
  ];
}

function catalogConflicts(view: CatalogView): Conflict[] {
  const conditions = [...view.services.values()].flatMap((s) =>
    s.conditions.map((c) => ({ kind: c.type, subject: s.key, message: c.message })),
  );
  const withheld = [...view.withheld].flatMap(([key, list]) => list.map((w) => ({ kind: w.reason, subject: key, message: w.message })));
  return [...conditions, ...withheld];
}
