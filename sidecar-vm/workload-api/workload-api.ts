import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { type SpiffeWorkloadAPIServer, SpiffeWorkloadAPIService } from '../../core/xds/gen/spiffe/workload/workload.ts';
import { Admission } from './admission.ts';
import { recognise } from './callers.ts';
import type { WorkloadIdentity, WorkloadTrust } from './contract.ts';
import { spiffeJwtService } from './jwt-service.ts';
import { defaultWorkloadApiLimits, type WorkloadApiLimits } from './limits.ts';
import { openSds } from './sds.ts';
import { SocketFront } from './socket-front.ts';
import { spiffeX509Service } from './spiffe-service.ts';

export interface WorkloadApiOptions {
  /** Absolute. */
  readonly socket: string;
  /** No two of them overlap. */
  readonly identities: readonly WorkloadIdentity[];
  readonly trust: WorkloadTrust;
  readonly metrics: Registry;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<WorkloadApiLimits>;
}

export interface WorkloadApi {
  readonly socket: string;
  /** Ends what is open and takes the socket away. Idempotent. */
  close(): Promise<void>;
}

/**
 * The SPIFFE Workload API on a Unix socket that every program of this machine may open: who it is the kernel says, what it gets its selectors.
 * MeshErrors as SocketFront.start's.
 */
export async function startWorkloadApi(options: WorkloadApiOptions): Promise<WorkloadApi> {
  const { socket, identities, trust, metrics, clock, log } = options;
  const limits = { ...defaultWorkloadApiLimits, ...options.limits };
  const front = new SocketFront<WorkloadIdentity | undefined>({
    socket,
    limits,
    clock,
    log,
    recognise: (caller) => recognise(caller, identities, log),
  });
  const refused = refusals(metrics);
  connections(metrics, () => front.connections);
  const onRefused = (reason: string) => refused.inc({ reason });
  const admission = new Admission({ callerOf: (call) => front.callerOf(call), callsPerUid: limits.streamsPerUid, onRefused });
  const service: SpiffeWorkloadAPIServer = {
    ...spiffeX509Service({ admission, trust, clock }),
    ...spiffeJwtService({ admission, identities, trust, clock, log, onRefused }),
  };
  front.addService(SpiffeWorkloadAPIService, { ...service });
  const sds = openSds({ callerOf: (call) => front.callerOf(call), identities, trust, streamsPerUid: limits.streamsPerUid, clock, log });
  for (const { definition, handlers } of sds.services) front.addService(definition, handlers);
  try {
    await front.start();
  } catch (error) {
    await sds.close();
    throw error;
  }
  log.info({ socket, identities: identities.map(({ name }) => name) }, 'workload API serves');
  const close = async () => {
    await sds.close();
    await front.close();
  };
  let closing: Promise<void> | undefined;
  return {
    socket,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function refusals(metrics: Registry): Counter<'reason'> {
  return new Counter({
    name: 'isthmus_workload_api_refusals_total',
    help: 'Calls of the SPIFFE Workload API that were refused',
    labelNames: ['reason'],
    registers: [metrics],
  });
}

function connections(metrics: Registry, count: () => number): void {
  new Gauge({
    name: 'isthmus_workload_api_connections',
    help: 'Connections that are open on the socket of the SPIFFE Workload API',
    registers: [metrics],
    collect() {
      this.set(count());
    },
  });
}
