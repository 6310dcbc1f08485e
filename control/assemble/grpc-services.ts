import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec, WorkloadGroupSpec } from '../../core/config/index.ts';
import type { Log } from '../../core/log.ts';
import type { Store } from '../../core/store.ts';
import { LoadReportingServiceService } from '../../core/xds/gen/envoy/service/load_stats/v3/lrs.ts';
import { IdentityService, RegistrationService } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { TelemetryService } from '../../core/xds/gen/isthmus/telemetry/v1/telemetry.ts';
import type { ResourceSource } from '../../core/xds/index.ts';
import type { RegisteredInstance } from '../../registries/vm/index.ts';
import { Issuance, Ledger, RootReports } from '../ca/index.ts';
import type { CatalogView } from '../catalog/index.ts';
import { parseHostPort } from '../config/index.ts';
import { GrpcFront, identityServer } from '../grpc/index.ts';
import {
  expireAfterOf,
  Instances,
  Liveness,
  PlaintextReports,
  Presence,
  type ReachWatch,
  RefusedRegistrations,
  registrationServer,
  SocketReports,
  Takeovers,
} from '../registration/index.ts';
import type { Refusals } from '../telemetry/index.ts';
import { loadReportingServer } from '../telemetry/loads/index.ts';
import { telemetryServer } from '../telemetry/traffic/index.ts';
import { createXdsServer, type XdsServer } from '../xds/index.ts';
import { Attestors } from './attestors.ts';
import type { ControlIdentity } from './control-identity.ts';
import type { JwtHome } from './jwt-svids.ts';
import { createReachWatch } from './reach.ts';
import type { TrafficHome } from './traffic.ts';

export interface GrpcServicesOptions {
  readonly mesh: MeshSpec;
  readonly identity: ControlIdentity;
  readonly store: Store;
  readonly resources: ResourceSource;
  readonly traffic: TrafficHome;
  /** The mesh as it is known, for the ways to other networks. */
  readonly view: () => CatalogView;
  /** By NAMESPACE/NAME. */
  readonly groupOf: (name: string) => WorkloadGroupSpec | undefined;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly refusals: Refusals;
  readonly jwt: JwtHome;
  /** The control plane's own end. */
  readonly signal: AbortSignal;
}

/** Everything that agents and gateways talk to, on one listener. */
export interface GrpcServices {
  readonly front: GrpcFront;
  readonly xds: XdsServer;
  readonly ledger: Ledger;
  /** Follow the AttestationPolicies that `apply` is given. */
  readonly attestors: Attestors;
  readonly instances: Instances;
  readonly liveness: Liveness;
  /** Tells other replicas that this one is there. */
  readonly presence: Presence;
  /** Which connections agents see, for migrations that drain; follows the store in its `run`. */
  readonly sockets: SocketReports;
  /** Who called in the clear, as agents of this replica say. */
  readonly plaintext: PlaintextReports;
  /** Connects back to what registers, in its `run`. */
  readonly reach: ReachWatch;
  /** Which roots agents and gateways lean on. */
  readonly roots: RootReports;
  /** Whose registration was refused here, and why. */
  readonly refused: RefusedRegistrations;
}

export function createGrpcServices(options: GrpcServicesOptions): GrpcServices {
  const { mesh, identity, store, resources, traffic, view, clock, random, log, refusals, signal } = options;
  const { authority } = identity;
  const listen = parseHostPort(mesh.grpc.listen) ?? { host: '0.0.0.0', port: 15_012 };
  const front = new GrpcFront({ ...listen, identity: identity.front(), clock, log, refusals });
  identity.subscribe(() => front.useIdentity(identity.front()));
  const callerOf = front.callerOf.bind(front);

  const ledger = new Ledger(store);
  const attestors = new Attestors({ mesh, store, clock, log });
  const issuance = new Issuance({ authority, ledger, attestors, svidTtlMs: mesh.identity.svidTtlMs, clock, log, refusals });
  const jwt = options.jwt.issuance(ledger, attestors);
  front.addService(IdentityService, identityServer({ issuance, authority, jwt, callerOf, clock, log, refusals }));

  const instances = new Instances(store);
  const ttlMs = mesh.catalog.agentTtlMs;
  const presence = new Presence(store, randomUUID());
  const expireAfter = (record: RegisteredInstance) => expireAfterOf(record, options.groupOf);
  const crowded = front.crowdedWithin.bind(front);
  const liveness = new Liveness({ instances, presence, ttlMs, expireAfter, crowded, clock, log });
  const sockets = new SocketReports({ store, clock, log });
  const reach = createReachWatch({ mesh, identity, instances, ledger, view, clock, random, log });
  const plaintext = new PlaintextReports(clock);
  const takeovers = new Takeovers({ instances, clock, log });
  const roots = new RootReports(clock);
  const refused = new RefusedRegistrations(refusals);
  const heard = { sockets, plaintext, reach, takeovers, roots, refused };
  const registration = { instances, liveness, ledger, callerOf, ttlMs, ...heard, clock, log, signal };
  front.addService(RegistrationService, registrationServer(registration));

  const { cluster } = mesh;
  const { store: counts, reporters, meters, pace } = traffic;
  const counted = { store: counts, reporters, meters, pace, mesh: traffic.mesh, cluster };
  front.addService(TelemetryService, telemetryServer({ ...counted, callerOf, clock, log, signal }));
  const { loads } = traffic;
  front.addService(LoadReportingServiceService, loadReportingServer({ loads, cluster, callerOf, clock, log, signal }));

  const xds = createXdsServer({ source: resources, cluster, callerOf, clock, log });
  for (const { definition, handlers } of xds.services) front.addService(definition, handlers);
  return { front, xds, ledger, attestors, instances, liveness, presence, sockets, plaintext, reach, roots, refused };
}
