import type {
  Conflict,
  Explanation,
  Instance,
  Invite,
  JoinedPeer,
  PeerStatus,
  SignedIntermediate,
  Status,
} from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import { certificatesToPem, pemBlocks } from '../../core/pki/index.ts';
import type { Store } from '../../core/store.ts';
import { formatViolation } from '../../core/validate.ts';
import type { RegisteredInstance } from '../../registries/vm/index.ts';
import type { ControlApi } from '../admin/index.ts';
import { loadRoot, signIntermediate } from '../ca/index.ts';
import type { Catalog } from '../catalog/index.ts';
import type { LiveConfig } from '../config/index.ts';
import type { Objects, ObjectView } from '../objects/index.ts';
import type { Policy } from '../policy/index.ts';
import type { Instances } from '../registration/index.ts';
import { explain } from '../snapshot/index.ts';
import type { XdsServer } from '../xds/index.ts';
import { exportsOf, workloadGroupsOf } from './config-objects.ts';
import type { ControlIdentity } from './control-identity.ts';
import type { DriftHome } from './drift.ts';
import { makeJoinToken } from './join-tokens.ts';
import type { MigrationHome } from './migrations.ts';
import { objectConflicts } from './object-conflicts.ts';
import type { ObjectSources } from './object-sources.ts';
import { objectsApi } from './objects.ts';
import type { Publishing } from './publishing.ts';
import type { Snapshots } from './snapshots.ts';
import { buildStatus } from './status.ts';
import type { TrafficHome } from './traffic.ts';

/** What peering offers to the API. */
export interface PeerOperations {
  status(): readonly PeerStatus[];
  invite(ttlMs: number, dial?: string): Promise<Invite>;
  join(token: string): Promise<JoinedPeer>;
  /** NOT_FOUND for a cluster that is no peer. */
  remove(cluster: string): Promise<void>;
}

export interface FacadeParts {
  readonly mesh: MeshSpec;
  readonly config: LiveConfig;
  readonly identity: ControlIdentity;
  readonly store: Store;
  readonly catalog: Catalog;
  readonly objects: Objects;
  readonly objectSources: ObjectSources;
  /** Who may call what, were these objects in force. */
  readonly policiesOf: (view: ObjectView) => readonly Policy[];
  readonly snapshots: Snapshots;
  readonly xds: XdsServer;
  readonly instances: Instances;
  readonly drift: DriftHome;
  readonly migrations: MigrationHome;
  readonly traffic: TrafficHome;
  readonly publishing: Publishing;
  readonly peers: PeerOperations;
  /** HOST:PORT where this control plane is dialled. */
  readonly addresses: () => readonly string[];
  readonly clock: Clock;
}

/** The control plane as the API sees it. */
export function createControlApi(parts: FacadeParts): ControlApi {
  const { mesh, identity, store, catalog, snapshots, publishing, peers, instances, clock } = parts;
  const signing: Pick<ControlApi, 'signIntermediate'> =
    mesh.identity.rootDir === undefined ? {} : { signIntermediate: (request) => sign(parts, request.cluster, request.csr) };
  return {
    ...signing,
    objects: objectsApi(parts.objects, {
      inputs: () => snapshots.inputs,
      policiesOf: parts.policiesOf,
      clients: () => parts.xds.clients(),
      network: mesh.network,
      peers: () => peers.status().map((p) => p.cluster),
      trafficSeen: parts.traffic,
    }),
    migrations: parts.migrations.api,
    drift: async (all) => parts.drift.report(all),
    traffic: async (query) => parts.traffic.query(query),
    status: async () => status(parts),
    explain: async (src, dst): Promise<Explanation> => explain(snapshots.inputs, src, dst),
    instances: async () => (await instances.list()).map(({ record }) => instanceStatus(record, mesh.trustDomain, clock.now())),
    peers: async () => peers.status(),
    uninstallPlan: () => publishing.plan(),
    createToken: (request) =>
      makeJoinToken(request, {
        store,
        mesh,
        trust: identity.authority.bundle(),
        addresses: parts.addresses(),
        groupOf: (name) => workloadGroupsOf(parts.objects.set.current()).get(name),
        now: clock.now(),
      }),
    invitePeer: async (ttlMs, dial) => {
      const value = await peers.invite(ttlMs, dial);
      return { value, diff: [{ subject: `invite/${value.id}`, after: { expiresAt: value.expiresAt } }] };
    },
    joinPeer: async ({ token }) => {
      const value = await peers.join(token);
      return { value, diff: [{ subject: `peer/${value.cluster}`, after: value }] };
    },
    removePeer: async (cluster) => {
      const before = countsOf(catalog, cluster);
      await peers.remove(cluster);
      return { value: { cluster, ...before }, diff: [{ subject: `peer/${cluster}`, before }] };
    },
    uninstall: async () => {
      const value = await publishing.uninstall();
      return { value, diff: [{ subject: 'published', before: { records: value.removed } }] };
    },
  };
}

function status(parts: FacadeParts): Status {
  const { mesh, config, identity, catalog, objects, snapshots, xds, publishing, peers, clock } = parts;
  const faults: Conflict[] = [...snapshots.faults()].map(([key, list]) => ({
    kind: 'SnapshotInconsistent',
    subject: key,
    message: list.join('; '),
  }));
  return buildStatus({
    view: catalog.current(),
    sources: catalog.status(),
    clients: xds.clients(),
    reporters: parts.traffic.status(),
    loads: parts.traffic.loads.status(),
    peers: peers.status(),
    trust: identity.authority.bundle(),
    network: mesh.network,
    hostSuffix: mesh.hostSuffix,
    exports: exportsOf(config.current, objects.set.current(), mesh.cluster),
    gatewayPorts: snapshots.inputs.gatewayPorts,
    conflicts: [...faults, ...publishing.conflicts(), ...objectConflicts(objects.set.current()), ...parts.objectSources.conflicts()],
    configViolations: config.violations.map(formatViolation),
    drift: parts.drift.summary(),
    findings: snapshots.inputs.traffic.findings,
    now: clock.now(),
  });
}

function instanceStatus(record: RegisteredInstance, trustDomain: string, now: number): Instance {
  const services = record.role === 'workload' ? record.services : [];
  const sick = services.find((s) => s.healthy !== true);
  const healthy = sick === undefined && !record.draining;
  const reason = record.expired
    ? 'its agent is silent'
    : record.draining
      ? 'draining'
      : sick === undefined
        ? undefined
        : (sick.reason ?? 'not reported yet');
  return {
    id: record.instance,
    role: record.role,
    namespace: record.namespace,
    spiffeId: formatSpiffeId({ trustDomain, namespace: record.namespace, serviceAccount: record.serviceAccount }),
    network: record.network,
    addresses: [...record.addresses],
    services: services.map((s) => `${s.namespace}/${s.name}`),
    ...(record.role === 'workload' && record.group !== undefined ? { group: record.group } : {}),
    generation: record.generation,
    stage: record.expired ? 'expired' : healthy ? 'healthy' : 'registered',
    ageMs: Math.max(0, now - record.registeredAt),
    ...(reason === undefined ? {} : { reason }),
  };
}

function countsOf(catalog: Catalog, cluster: string): { services: number; endpoints: number } {
  const of = catalog.status().filter((s) => s.cluster === cluster);
  return { services: of.reduce((n, s) => n + s.services, 0), endpoints: of.reduce((n, s) => n + s.endpoints, 0) };
}

async function sign(
  parts: FacadeParts,
  cluster: string,
  csrPem: string,
): Promise<{ value: SignedIntermediate; diff: { subject: string; after: unknown }[] }> {
  const { mesh, clock } = parts;
  const [csr] = pemBlocks(csrPem, 'CERTIFICATE REQUEST');
  if (csr === undefined || mesh.identity.rootDir === undefined)
    throw new MeshError('CONFIG_INVALID', 'csr holds no certificate request in PEM');
  const root = await loadRoot(mesh.identity.rootDir, mesh.trustDomain);
  const signed = signIntermediate(root, csr, cluster, clock.now(), mesh.identity.intermediateTtlMs);
  const notAfter = new Date(signed.notAfter).toISOString();
  const value = { certificate: certificatesToPem([signed.der]), roots: [certificatesToPem([root.certificate.der])], notAfter };
  return { value, diff: [{ subject: `intermediate/${cluster}`, after: { serial: signed.serial, notAfter } }] };
}
