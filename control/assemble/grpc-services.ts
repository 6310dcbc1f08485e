import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import type { Log } from '../../core/log.ts';
import type { Store } from '../../core/store.ts';
import { LoadReportingServiceService } from '../../core/xds/gen/envoy/service/load_stats/v3/lrs.ts';
import { IdentityService, RegistrationService } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { TelemetryService } from '../../core/xds/gen/isthmus/telemetry/v1/telemetry.ts';
import type { ResourceSource } from '../../core/xds/index.ts';
import { Issuance, JoinTokenAttestor, Ledger } from '../ca/index.ts';
import { parseHostPort } from '../config/index.ts';
import { GrpcFront, identityServer } from '../grpc/index.ts';
import { Instances, Liveness, Presence, registrationServer, SocketReports } from '../registration/index.ts';
import { loadReportingServer } from '../telemetry/loads/index.ts';
import { telemetryServer } from '../telemetry/traffic/index.ts';
import { createXdsServer, type XdsServer } from '../xds/index.ts';
import type { ControlIdentity } from './control-identity.ts';
import type { TrafficHome } from './traffic.ts';

export interface GrpcServicesOptions {
  readonly mesh: MeshSpec;
  readonly identity: ControlIdentity;
  readonly store: Store;
  readonly resources: ResourceSource;
  readonly traffic: TrafficHome;
  readonly clock: Clock;
  readonly log: Log;
  /** The control plane's own end. */
  readonly signal: AbortSignal;
}

/** Everything that agents and gateways talk to, on one listener. */
export interface GrpcServices {
  readonly front: GrpcFront;
  readonly xds: XdsServer;
  readonly ledger: Ledger;
  readonly instances: Instances;
  readonly liveness: Liveness;
  /** Tells other replicas that this one is there. */
  readonly presence: Presence;
  /** Which connections agents see, for migrations that drain; follows the store in its `run`. */
  readonly sockets: SocketReports;
}

export function createGrpcServices(options: GrpcServicesOptions): GrpcServices {
  const { mesh, identity, store, resources, traffic, clock, log, signal } = options;
  const { authority } = identity;
  const listen = parseHostPort(mesh.grpc.listen) ?? { host: '0.0.0.0', port: 15_012 };
  const front = new GrpcFront({ ...listen, identity: identity.front(), clock, log });
  identity.subscribe(() => front.useIdentity(identity.front()));
  const callerOf = front.callerOf.bind(front);

  const ledger = new Ledger(store);
  const attestors = [new JoinTokenAttestor(store, mesh.cluster, mesh.trustDomain)];
  const issuance = new Issuance({ authority, ledger, attestors, svidTtlMs: mesh.identity.svidTtlMs, clock, log });
  front.addService(IdentityService, identityServer({ issuance, authority, callerOf, clock, log }));

  const instances = new Instances(store);
  const ttlMs = mesh.catalog.agentTtlMs;
  const presence = new Presence(store, randomUUID());
  const liveness = new Liveness({ instances, presence, ttlMs, clock, log });
  const sockets = new SocketReports({ store, clock, log });
  front.addService(RegistrationService, registrationServer({ instances, liveness, ledger, callerOf, ttlMs, sockets, clock, log, signal }));

  const { cluster } = mesh;
  const { store: counts, reporters, meters, pace } = traffic;
  const counted = { store: counts, reporters, meters, pace, mesh: traffic.mesh, cluster };
  front.addService(TelemetryService, telemetryServer({ ...counted, callerOf, clock, log, signal }));
  const { loads } = traffic;
  front.addService(LoadReportingServiceService, loadReportingServer({ loads, cluster, callerOf, clock, log, signal }));

  const xds = createXdsServer({ source: resources, cluster, callerOf, clock, log });
  for (const { definition, handlers } of xds.services) front.addService(definition, handlers);
  return { front, xds, ledger, instances, liveness, presence, sockets };
}
