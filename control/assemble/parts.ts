import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import type { Log } from '../../core/log.ts';
import { clusterId } from '../../core/model/index.ts';
import type { Store } from '../../core/store.ts';
import { AdminServer, type AuditLog, HealthServer, openAuditLog, svidCallers } from '../admin/index.ts';
import { type Catalog, createCatalog } from '../catalog/index.ts';
import { type LiveConfig, parseHostPort } from '../config/index.ts';
import { Leadership } from '../leadership/index.ts';
import { Objects, type ObjectView } from '../objects/index.ts';
import { authorizationPolicies, callerPolicies, type Policy, peerAuthentications, requestAuthentications } from '../policy/index.ts';
import { GatewayList } from '../registration/index.ts';
import { createTrafficCompiler } from '../routing/index.ts';
import { compiledCheck, noTraffic } from '../snapshot/index.ts';
import { type ControlMetrics, createMetrics, createRefusals, type Refusals } from '../telemetry/index.ts';
import { compiledFaults } from './compiled-faults.ts';
import {
  accessPoliciesOf,
  authorizationPoliciesOf,
  exportsOf,
  federatedOf,
  peerAuthenticationsOf,
  registriesOf,
  requestAuthenticationsOf,
  trafficObjectsOf,
  workloadGroupsOf,
} from './config-objects.ts';
import { createControlApi, instancesNow } from './control-facade.ts';
import { ControlIdentity } from './control-identity.ts';
import { DriftHome } from './drift.ts';
import { FederationHome } from './federation.ts';
import { createGrpcServices, type GrpcServices } from './grpc-services.ts';
import { keySources, openIssuerKeys } from './issuer-keys.ts';
import { JwtHome } from './jwt-svids.ts';
import { recordMetrics } from './metrics.ts';
import { MigrationEvents } from './migration-events.ts';
import { MigrationHome } from './migrations.ts';
import { mtlsStatus } from './mtls-status.ts';
import { ObjectSources } from './object-sources.ts';
import { parserFor, storedParserFor } from './objects.ts';
import { Peers } from './peers.ts';
import { Publishing } from './publishing.ts';
import { resolveHost } from './resolve-host.ts';
import { RotationHome } from './rotation.ts';
import { Snapshots, type TrafficOf } from './snapshots.ts';
import { Sources } from './sources.ts';
import { TrafficHome } from './traffic.ts';

/** Until another replica takes over from one that died. */
const leaderTtlMs = 10_000;

/** What every part is given. */
export interface Surroundings {
  readonly config: LiveConfig;
  readonly store: Store;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The parts of one control plane, made and joined but not started. */
export interface ControlParts extends Surroundings {
  readonly mesh: MeshSpec;
  readonly metrics: ControlMetrics;
  readonly refusals: Refusals;
  readonly identity: ControlIdentity;
  readonly catalog: Catalog;
  readonly objects: Objects;
  readonly objectSources: ObjectSources;
  readonly snapshots: Snapshots;
  readonly services: GrpcServices;
  readonly traffic: TrafficHome;
  readonly sources: Sources;
  readonly publishing: Publishing;
  readonly peers: Peers;
  readonly rotation: RotationHome;
  readonly drift: DriftHome;
  readonly federation: FederationHome;
  readonly jwt: JwtHome;
  readonly migrations: MigrationHome;
  readonly migrationEvents: MigrationEvents;
  readonly gateways: GatewayList;
  readonly audit: AuditLog;
  readonly admin: AdminServer;
  readonly health: HealthServer;
  /** Who may call what, made anew from exports, peers and AuthorizationPolicies. */
  readonly policiesOf: (view: ObjectView) => readonly Policy[];
  /** Puts those of the objects in force into force. */
  readonly applyPolicies: () => void;
}

/** Opens what is durable; binds no port and reads no registry yet. */
export async function buildParts(around: Surroundings): Promise<ControlParts> {
  const { config, store, clock, random, log, signal } = around;
  const mesh = config.current.mesh.spec;
  const cluster = clusterId(mesh.cluster);
  const metrics = createMetrics({ cluster });
  const refusals = createRefusals(log, metrics.refusals, clock);
  const identity = await ControlIdentity.open({ mesh, clock, log, signal });
  const onProblem = (message: string) => log.error({}, message);
  const catalog = createCatalog({ cluster, store, clock, expireAfterMs: mesh.catalog.expireAfterMs, onProblem });
  await catalog.start(signal);
  const federatedWith = () => federatedOf(config.current).map(({ spec }) => spec);
  const parse = parserFor(mesh.trustDomain, () => federatedWith().map((each) => each.trustDomain));
  const parseStored = storedParserFor(mesh.trustDomain);
  const leadership = new Leadership({
    store,
    clock,
    log,
    name: 'tentative',
    replica: randomUUID(),
    ttlMs: leaderTtlMs,
    // The embedded store's folder is locked.
    sole: mesh.store.kind === 'embedded',
  });
  const faults = compiledFaults(mesh.hostSuffix, () => snapshots.inputs);
  const objects = new Objects({ store, leadership, clock, log, cluster, parse, parseStored, faults });
  const objectSources = new ObjectSources({ set: objects.set, store, cluster, parse: parseStored, clock, random, log });
  const compiler = createTrafficCompiler({ hostSuffix: mesh.hostSuffix, check: compiledCheck });
  const trafficOf: TrafficOf = (view, services) => compiler.update(trafficObjectsOf(objects.set.current()), view, services);
  const first = {
    view: catalog.current(),
    hostSuffix: mesh.hostSuffix,
    trust: identity.authority.bundle(),
    policies: [],
    traffic: noTraffic,
    gatewayPorts: [],
    originateCidrs: mesh.originate.sources.flatMap((s) => s.cidrs),
  };
  const snapshots = new Snapshots(first, trafficOf);
  const jwt = await JwtHome.open({ ...around, mesh, refusals, registry: metrics.registry, namespaces: () => peers.namespaces() });
  const jwtKeys = () => jwt.keys();
  const federation = new FederationHome({ ...around, mesh, identity, refusals, registry: metrics.registry, jwtKeys });
  for (const changing of [identity.authority, federation.domains, jwt])
    changing.subscribe(() => snapshots.set({ trust: federation.trust() }));
  const traffic = new TrafficHome(clock, mesh.hostSuffix, () => catalog.current());
  const services = createGrpcServices({
    ...around,
    mesh,
    identity,
    resources: snapshots.resources,
    traffic,
    refusals,
    view: () => catalog.current(),
    jwt,
    groupOf: (name) => workloadGroupsOf(objects.set.current()).get(name),
  });
  const sources = new Sources({ catalog, cluster, store, clock, random, log });
  const onPorts: ConstructorParameters<typeof Publishing>[0]['onPorts'] = (gatewayPorts) => snapshots.set({ gatewayPorts });
  const publishing = new Publishing({ mesh, catalog, sources, store, clock, random, log, onPorts });
  const policiesOf = (view: ObjectView) => {
    const { trustDomain } = mesh;
    const base = callerPolicies({ cluster, trustDomain, exports: exportsOf(config.current, view, cluster), peers: peers.namespaces() });
    const tokens = requestAuthentications(requestAuthenticationsOf(view), (uri) => issuerKeys.current(uri));
    const modes = peerAuthentications(peerAuthenticationsOf(view));
    return [...base, modes, authorizationPolicies(authorizationPoliciesOf(view), federatedWith()), tokens];
  };
  const applyPolicies = () => {
    issuerKeys.want(keySources(requestAuthenticationsOf(objects.set.current())));
    snapshots.set({ policies: policiesOf(objects.set.current()) });
  };
  const issuerKeys = await openIssuerKeys(around, () => applyPolicies());
  const exports = () => exportsOf(config.current, objects.set.current(), cluster);
  const rotation: RotationHome = new RotationHome({
    ...around,
    mesh,
    authority: identity.authority,
    jwt,
    services,
    peers: () => peers,
    instances: () => instancesNow({ mesh, catalog, objects, ...services, clock }),
  });
  const peers: Peers = new Peers({
    ...around,
    mesh,
    identity,
    catalog,
    objects,
    exports,
    rotation,
    front: services.front,
    jwt,
    onPeers: () => {
      applyPolicies();
      jwt.peersChanged();
    },
  });
  const drift = new DriftHome({ cluster, peers, objects, clock });
  const migrationEvents = new MigrationEvents({ metrics: metrics.migrations, clock, random, log });
  const migrations = new MigrationHome({
    ...around,
    mesh,
    objects,
    catalog,
    traffic,
    sockets: services.sockets,
    parse,
    facts: {
      mesh,
      inputs: () => snapshots.inputs,
      policies: () => policiesOf(objects.set.current()),
      objects: () => objects.set.current(),
      exports,
      peers: () => peers.status(),
      peerNamespaces: () => peers.namespaces(),
      registries: () => registriesOf(config.current),
      traffic,
      clients: () => services.xds.clients(),
      instances: services.instances,
    },
    publishing,
    sources,
    events: migrationEvents,
    behind: (host) => services.xds.behind(host),
  });
  const gateways = new GatewayList({
    store,
    instances: services.instances,
    cluster,
    trustDomain: mesh.trustDomain,
    resolve: resolveHost,
    clock,
    log,
  });
  const audit = await openAuditLog(join(mesh.stateDir, 'audit.jsonl'));
  const inner = {
    ...around,
    mesh,
    metrics,
    refusals,
    identity,
    catalog,
    objects,
    objectSources,
    snapshots,
    services,
    traffic,
    sources,
    publishing,
    peers,
    rotation,
    drift,
    federation,
    jwt,
    migrations,
    migrationEvents,
    gateways,
    audit,
    policiesOf,
    applyPolicies,
  };
  return { ...inner, admin: adminOf(inner), health: healthOf(inner) };
}

type InnerParts = Omit<ControlParts, 'admin' | 'health'>;

function adminOf(parts: InnerParts): AdminServer {
  const { mesh, config, identity, services, peers, clock } = parts;
  const api = createControlApi({ ...parts, ...services, replica: services.liveness.replica, addresses: () => peers.addresses() });
  return new AdminServer({
    ...parts,
    listen: parseHostPort(mesh.api.listen) ?? { host: '0.0.0.0', port: 15_014 },
    tls: identity.adminTls(),
    api,
    policies: () => accessPoliciesOf(config.current),
    // Before this cluster has joined, nobody can hold an SVID that it could verify.
    callerOfSocket: (socket) => (identity.svid === undefined ? undefined : svidCallers(identity.svid, () => clock.now())(socket)),
  });
}

function healthOf(parts: InnerParts): HealthServer {
  const { mesh, metrics, identity, catalog, snapshots, services, peers, drift, federation, migrations, migrationEvents } = parts;
  const { authority } = identity;
  const readiness = () => {
    const joined = { name: 'identity', ok: authority.ready, reason: 'not joined yet: run isthmus peer join TOKEN' };
    return [{ name: 'snapshot', ok: snapshots.started }, joined.ok ? { name: 'identity', ok: true } : joined];
  };
  return new HealthServer({
    listen: parseHostPort(mesh.health.listen) ?? { host: '127.0.0.1', port: 15_021 },
    readiness,
    metrics: metrics.registry,
    beforeScrape: async () => {
      await migrationEvents.record(() => migrations.api.list());
      federation.record();
      recordMetrics(metrics, {
        sources: catalog.status(),
        peers: peers.report(),
        drift: drift.counts(),
        clients: services.xds.clients(),
        trust: authority.bundle(),
        mtls: mtlsStatus({ inputs: snapshots.inputs, seen: services.plaintext.seen(), now: parts.clock.now() }),
        instances: await instancesNow({ ...parts, ...services }),
      });
    },
  });
}
