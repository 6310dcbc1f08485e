import { type ServerDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import type { Clock } from '../../../core/clock.ts';
import { childController, isAborted } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import { formatSpiffeId } from '../../../core/model/index.ts';
import { parseFlow } from '../../../core/telemetry/index.ts';
import type { ReportReply, ReportRequest, TelemetryServer } from '../../../core/xds/gen/isthmus/telemetry/v1/telemetry.ts';
import type { TrafficMeters } from './meters.ts';
import { admitFlow, type ReportedMesh, type ReportingProxy } from './report-flow.ts';
import type { ReportPace } from './report-pace.ts';
import type { Reporters } from './reporters.ts';
import type { TrafficStore } from './traffic-store.ts';

type ReportStream = ServerDuplexStream<ReportRequest, ReportReply>;

export interface TelemetryServiceOptions {
  readonly store: TrafficStore;
  readonly reporters: Reporters;
  readonly meters: TrafficMeters;
  readonly pace: ReportPace;
  readonly mesh: ReportedMesh;
  /** Mesh cluster of this control plane: only its own proxies report here. */
  readonly cluster: string;
  readonly callerOf: (call: ReportStream) => ReportingProxy | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends every stream with UNAVAILABLE. */
  readonly signal: AbortSignal;
}

const mostFlows = 10_000;
/** Between two reports of one stream, at least: what comes faster waits in the connection. */
const restMs = 50;
const oldestMs = 5 * 60_000;

/** The Telemetry service: `front.addService(TelemetryService, telemetryServer(...))`. */
export function telemetryServer(options: TelemetryServiceOptions): TelemetryServer {
  const open = new Set<ReportStream>();
  const end = (call: ReportStream, code: status, details: string) =>
    void call.emit('error', Object.assign(new Error('reports ended'), { code, details }) satisfies Partial<ServiceError>);
  options.signal.addEventListener(
    'abort',
    () => {
      for (const call of [...open]) end(call, status.UNAVAILABLE, 'shutting down');
    },
    { once: true },
  );
  return {
    report(call: ReportStream) {
      const proxy = options.callerOf(call);
      if (proxy === undefined) return end(call, status.UNAUTHENTICATED, 'reports need an SVID of this mesh');
      if (proxy.cluster !== options.cluster)
        return end(call, status.PERMISSION_DENIED, `this is ${options.cluster}: report to ${proxy.cluster}`);
      open.add(call);
      const { controller, release } = childController(options.signal);
      const close = () => {
        open.delete(call);
        controller.abort();
        release();
      };
      call.on('data', (request: ReportRequest) => {
        const fault = faultOf(request);
        if (fault !== undefined) return end(call, status.INVALID_ARGUMENT, fault);
        call.write(take(request, proxy, options));
        call.pause();
        void options.clock
          .sleep(restMs, controller.signal)
          .then(() => call.resume())
          .catch((error: unknown) => {
            if (!isAborted(error)) throw error;
          });
      });
      call.on('end', () => call.end());
      for (const event of ['error', 'close', 'cancelled']) call.on(event, close);
    },
  };
}

function faultOf({ instance, epoch, sequence, flows }: ReportRequest): string | undefined {
  if (instance === '' || instance.length > 256 || epoch === '' || epoch.length > 64)
    return 'instance and epoch are needed, of at most 256 and 64 characters';
  if (sequence < 1) return 'sequence begins at 1';
  return flows.length > mostFlows ? `${flows.length} flows in one report: at most ${mostFlows}` : undefined;
}

function take(request: ReportRequest, proxy: ReportingProxy, options: TelemetryServiceOptions): ReportReply {
  const { store, reporters, meters, mesh, log } = options;
  const { instance, epoch, sequence, ageMs, dropped, countsOpened } = request;
  const { nextMs } = options.pace;
  const id = `${formatSpiffeId(proxy.spiffeId)}#${instance}`;
  if (!reporters.isNew(id, epoch, sequence)) return { sequence, refused: 0, nextMs };
  let refused = 0;
  for (const message of request.flows) {
    const flow = parseFlow(message);
    const key = flow === undefined ? undefined : admitFlow(flow, proxy, mesh);
    if (flow === undefined || key === undefined) refused += 1;
    else {
      store.add(key, flow.counts, id, Math.min(ageMs, oldestMs));
      meters.count({ id, key, cluster: flow.key.cluster, counts: flow.counts, countsOpened });
    }
  }
  reporters.heard(id, { epoch, sequence, dropped, refused });
  if (refused > 0) log.warn({ proxy: id, refused }, 'flows of a report were left out: they are not for this identity to report');
  return { sequence, refused, nextMs };
}
