import type { EndpointGroup, FlowKey, FlowRecorder } from '../../../core/telemetry/index.ts';
import { noGroup } from '../../../core/telemetry/index.ts';
import type { FlowEntry } from '../../../core/xds/envoy/index.ts';
import type { ConnectionReport, PeerIdentity } from '../../engine/index.ts';
import type { RequestReport } from '../../forward/index.ts';
import type { EndpointState } from '../../state/index.ts';

interface Carried {
  readonly peer: Pick<PeerIdentity, 'principal' | 'cluster'> | undefined;
  /** This data plane was the mTLS end. */
  readonly inbound: boolean;
  readonly clusterName: string;
  readonly route: string;
  readonly group: EndpointGroup;
}

/** Counts what a data plane carried, for its control plane. `ownPrincipal`: without the scheme. */
export class FlowSink {
  readonly #recorder: FlowRecorder;
  readonly #role: 'agent' | 'gateway';
  readonly #own: () => { readonly principal: string; readonly cluster: string };

  constructor(recorder: FlowRecorder, role: 'agent' | 'gateway', own: () => { readonly principal: string; readonly cluster: string }) {
    this.#recorder = recorder;
    this.#role = role;
    this.#own = own;
  }

  request(report: RequestReport): void {
    const { connection, clusterName, routeName: route, upstream, attempts, flags, bytesReceived, bytesSent, durationMs: duration } = report;
    const key = this.#keyOf({ peer: connection.peer, inbound: connection.end !== undefined, clusterName, route, group: groupOf(upstream) });
    // A call that ends without a status is UNKNOWN to its caller.
    const grpc = report.grpcStatus === undefined ? {} : { grpcCode: Number(report.grpcStatus || 2) };
    this.#recorder.record(key, { kind: 'request', attempts, code: report.status, ...grpc, flags, bytesReceived, bytesSent, duration });
  }

  /** A byte stream begins. */
  opened({ count = 1, clusterName, peer, end, upstream }: ConnectionReport): void {
    const key = this.#keyOf({ peer, inbound: end !== undefined, clusterName, route: '', group: groupOf(upstream) });
    const seen = { kind: 'opened' as const, attempts: 0, flags: [], bytesReceived: 0, bytesSent: 0, duration: 0 };
    for (let i = 0; i < count; i++) this.#recorder.record(key, seen);
  }

  /** What never came to a service is nobody's traffic; what was delivered is counted by request. */
  connection(report: ConnectionReport): void {
    const { count = 1, outcome, clusterName, peer, end, upstream, flags } = report;
    if (outcome === 'deliver' || clusterName === '') return;
    const key = this.#keyOf({ peer, inbound: end !== undefined, clusterName, route: '', group: groupOf(upstream) });
    // Who goes away before there is an endpoint has neither had one nor missed one.
    const failed = outcome === 'refused' && !flags.includes('DC');
    for (let i = 0; i < count; i++) this.#recorder.record(key, { kind: 'connection', failed, flags, ...shareOf(report, i, count) });
  }

  /** What Envoy of this node carried. */
  entry({ peer, route, cluster: clusterName, group, seen }: FlowEntry, inbound: boolean): void {
    const app = { cluster: this.#own().cluster, locality: '', runtime: 'vm', viaGateway: false };
    this.#recorder.record(this.#keyOf({ peer, inbound, clusterName, route, group: group ?? app }), seen);
  }

  /** A copy of a request, to a mirror: of what becomes of it nobody knows. */
  copy(clusterName: string): void {
    const seen = { kind: 'copy' as const, attempts: 1, flags: [], bytesReceived: 0, bytesSent: 0, duration: 0 };
    this.#recorder.record(this.#keyOf({ peer: undefined, inbound: false, clusterName, route: '', group: noGroup }), seen);
  }

  #keyOf({ peer, inbound, clusterName: cluster, route, group }: Carried): FlowKey {
    const reporter = this.#role === 'gateway' ? 'gateway' : inbound ? 'destination' : 'source';
    // A gateway that calls for somebody without a proxy is who the callee sees; one that passes mTLS on sees nobody.
    const calling = peer ?? (cluster.startsWith('outbound|') ? this.#own() : undefined);
    return { reporter, sourcePrincipal: calling?.principal ?? '', sourceCluster: calling?.cluster ?? '', route, cluster, group };
  }
}

/** What falls to the one at `place` of several that are told of in sums; the first has what does not divide. Pure. */
function shareOf({ attempts, bytesReceived, bytesSent, durationMs }: ConnectionReport, place: number, count: number) {
  const part = (sum: number) => (count === 1 ? sum : Math.floor(sum / count) + (place === 0 ? sum % count : 0));
  return { attempts: part(attempts), bytesReceived: part(bytesReceived), bytesSent: part(bytesSent), duration: part(durationMs) };
}

function groupOf(upstream: EndpointState | undefined): EndpointGroup {
  if (upstream === undefined) return noGroup;
  const { cluster, locality, runtime, viaGateway } = upstream;
  return { cluster, locality, runtime, viaGateway };
}
