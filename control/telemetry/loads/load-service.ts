import { type ServerDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import type { Clock } from '../../../core/clock.ts';
import { childController, isAborted } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import { formatSpiffeId } from '../../../core/model/index.ts';
import {
  type LoadReportingServiceServer,
  type LoadStatsRequest,
  LoadStatsResponse,
} from '../../../core/xds/gen/envoy/service/load_stats/v3/lrs.ts';
import type { ReportingProxy } from '../traffic/index.ts';
import type { Loads } from './loads.ts';

type LoadStream = ServerDuplexStream<LoadStatsRequest, LoadStatsResponse>;

export interface LoadServiceOptions {
  readonly loads: Loads;
  /** Mesh cluster of this control plane: only its own Envoys report here. */
  readonly cluster: string;
  readonly callerOf: (call: LoadStream) => ReportingProxy | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** s between reports. Default 10. */
  readonly everySeconds?: number;
  /** Ends every stream with UNAVAILABLE. */
  readonly signal: AbortSignal;
}

/** Between two reports of one stream, at least: what comes faster waits in the connection. */
const restMs = 1_000;
const streamsPerIdentity = 256;

/**
 * envoy.service.load_stats.v3.LoadReportingService: `front.addService(LoadReportingServiceService, loadReportingServer(...))`.
 * UNAUTHENTICATED without an SVID, PERMISSION_DENIED for another cluster's and for an Envoy that says it is somebody else.
 */
export function loadReportingServer(options: LoadServiceOptions): LoadReportingServiceServer {
  const { loads, cluster, callerOf, clock, log, everySeconds = 10, signal } = options;
  const open = new Map<LoadStream, string>();
  const end = (call: LoadStream, code: status, details: string) =>
    void call.emit('error', Object.assign(new Error('load reports ended'), { code, details }) satisfies Partial<ServiceError>);
  const endAll = () => {
    for (const call of [...open.keys()]) end(call, status.UNAVAILABLE, 'shutting down');
  };
  signal.addEventListener('abort', endAll, { once: true });
  /** Said again after each report: Envoy reports of the xDS clusters that it had when it was last asked. */
  const ask = LoadStatsResponse.create({ sendAllClusters: true, loadReportingInterval: { seconds: everySeconds, nanos: 0 } });
  return {
    streamLoadStats(call: LoadStream) {
      const proxy = callerOf(call);
      if (proxy === undefined) return end(call, status.UNAUTHENTICATED, 'load reports need an SVID of this mesh');
      if (proxy.cluster !== cluster) return end(call, status.PERMISSION_DENIED, `this is ${cluster}: report to ${proxy.cluster}`);
      const own = formatSpiffeId(proxy.spiffeId);
      const others = [...open.values()].filter((each) => each === own).length;
      if (others >= streamsPerIdentity) return end(call, status.RESOURCE_EXHAUSTED, `${others} streams of ${own} are open`);
      open.set(call, own);
      const { controller, release } = childController(signal);
      const close = () => {
        open.delete(call);
        controller.abort();
        release();
      };
      let id: string | undefined;
      call.on('data', (request: LoadStatsRequest) => {
        const first = id === undefined;
        id ??= request.node?.id ?? '';
        if (!id.startsWith(`${own}#`) || id.length > 1_024) {
          log.warn({ proxy: own, node: id.slice(0, 256) }, 'load reports for another identity are refused');
          return end(call, status.PERMISSION_DENIED, `this connection is of ${own}`);
        }
        if (!first) loads.heard(id, request.clusterStats);
        call.write(ask);
        call.pause();
        void clock
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
