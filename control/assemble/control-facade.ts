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
import { certificatesToPem, pemBlocks } from '../../core/pki/index.ts';
import type { Store } from '../../core/store.ts';
import { formatViolation } from '../../core/validate.ts';
import type { ControlApi } from '../admin/index.ts';
import { type Ledger, signIntermediate } from '../ca/index.ts';
import type { Catalog } from '../catalog/index.ts';
import type { LiveConfig } from '../config/index.ts';
import type { Objects, ObjectView } from '../objects/index.ts';
import type { Policy } from '../policy/index.ts';
import type { Instances, PlaintextReports, RefusedRegistrations } from '../registration/index.ts';
import { explain, findingsOf } from '../snapshot/index.ts';
import type { XdsServer } from '../xds/index.ts';
import { exportsOf, workloadGroupsOf } from './config-objects.ts';
import type { ControlIdentity } from './control-identity.ts';
import type { DriftHome } from './drift.ts';
import type { FederationHome } from './federation.ts';
import { listInstances } from './instances.ts';
import { makeAttestorToken, makeJoinToken } from './join-tokens.ts';
import type { MigrationHome } from './migrations.ts';
import { mtlsStatus, recentCalls } from './mtls-status.ts';
import { objectConflicts } from './object-conflicts.ts';
import type { ObjectSources } from './object-sources.ts';
import { objectsApi } from './objects.ts';
import type { Publishing } from './publishing.ts';
import { createRevocationsApi } from './revocations.ts';
import type { RotationHome } from './rotation.ts';
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
  readonly ledger: Ledger;
  /** Of this control plane. */
  readonly replica: string;
  readonly drift: DriftHome;
  readonly migrations: MigrationHome;
  readonly rotation: RotationHome;
  readonly federation: FederationHome;
  readonly traffic: TrafficHome;
  readonly plaintext: PlaintextReports;
  readonly refused: RefusedRegistrations;
  readonly publishing: Publishing;
  readonly peers: PeerOperations;
  /** HOST:PORT where this control plane is dialled. */
  readonly addresses: () => readonly string[];
  readonly clock: Clock;
}

/** The control plane as the API sees it. */
export function createControlApi(parts: FacadeParts): ControlApi {
  const { mesh, identity, store, catalog, snapshots, publishing, peers, clock } = parts;
  const signing: Pick<ControlApi, 'signIntermediate'> =
    mesh.identity.rootDir === undefined ? {} : { signIntermediate: (request) => sign(parts, request.cluster, request.csr) };
  const joinContext = () => ({
    store,
    mesh,
    trust: identity.authority.bundle(),
    addresses: parts.addresses(),
    objects: parts.objects.set.current(),
    now: clock.now(),
  });
  return {
    ...signing,
    objects: objectsApi(parts.objects, {
      inputs: () => snapshots.inputs,
      policiesOf: parts.policiesOf,
      clients: () => parts.xds.clients(),
      network: mesh.network,
      peers: () => peers.status().map((p) => p.cluster),
      trafficSeen: parts.traffic,
      plaintextSeen: () => recentCalls(parts.plaintext.seen(), clock.now()),
    }),
    authority: parts.rotation.api,
    revocations: createRevocationsApi(parts),
    migrations: parts.migrations.api,
    federation: parts.federation.api,
    drift: async (all) => parts.drift.report(all),
    traffic: async (query) => parts.traffic.query(query),
    mtls: async (service) => mtlsStatus({ inputs: snapshots.inputs, seen: parts.plaintext.seen(), service, now: clock.now() }),
    status: async () => status(parts),
    explain: async (src, dst, request): Promise<Explanation> => explain(snapshots.inputs, src, dst, request),
    instances: () => instancesNow(parts),
    peers: async () => peers.status(),
    uninstallPlan: () => publishing.plan(),
    createToken: (request) => makeJoinToken(request, joinContext()),
    attestorToken: async (policy, network) => makeAttestorToken(policy, network, joinContext()),
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

/** Everybody who attested, and how far each has come. */
export async function instancesNow({
  mesh,
  catalog,
  objects,
  instances,
  ledger,
  refused,
  clock,
}: Pick<FacadeParts, 'mesh' | 'catalog' | 'objects' | 'instances' | 'ledger' | 'refused' | 'clock'>): Promise<Instance[]> {
  const [records, starts, grants] = await Promise.all([instances.list(), instances.starts(), ledger.grants()]);
  const view = catalog.current();
  return listInstances({
    records: records.map(({ record }) => record),
    starts,
    grants,
    view,
    trustDomain: mesh.trustDomain,
    refusedOf: (grant) => refused.of(grant),
    groupOf: (name) => workloadGroupsOf(objects.set.current()).get(name),
    now: clock.now(),
  });
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
    findings: findingsOf(snapshots.inputs),
    now: clock.now(),
  });
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
  const { mesh, clock, identity } = parts;
  const root = identity.authority.signer;
  const [csr] = pemBlocks(csrPem, 'CERTIFICATE REQUEST');
  if (csr === undefined) throw new MeshError('CONFIG_INVALID', 'csr holds no certificate request in PEM');
  if (root === undefined) throw new MeshError('NOT_FOUND', 'the root that signs is not online here: run isthmus ca sign where it is kept');
  const signed = signIntermediate(root, csr, cluster, clock.now(), mesh.identity.intermediateTtlMs);
  const notAfter = new Date(signed.notAfter).toISOString();
  const value = { certificate: certificatesToPem([signed.der]), roots: [certificatesToPem([root.certificate.der])], notAfter };
  return { value, diff: [{ subject: `intermediate/${cluster}`, after: { serial: signed.serial, notAfter } }] };
}
