import type { Traffic, TrafficItem } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import { serviceKey } from '../../core/model/index.ts';
import { failedRequests, latencyQuantile } from '../../core/telemetry/index.ts';
import type { TrafficQuery } from '../admin/index.ts';
import type { CatalogView } from '../catalog/index.ts';
import type { TrafficSeen } from '../objects/index.ts';
import { Loads } from '../telemetry/loads/index.ts';
import {
  callsSeen,
  countedOnce,
  type ReportedMesh,
  type ReporterStatus,
  Reporters,
  ReportPace,
  type TrafficFlow,
  TrafficMeters,
  TrafficStore,
} from '../telemetry/traffic/index.ts';

const hourMs = 3_600_000;

/** What the mesh's proxies say of their traffic, and what is asked of it. */
export class TrafficHome implements TrafficSeen {
  readonly store: TrafficStore;
  readonly reporters: Reporters;
  /** Of services that are shifted, by side. */
  readonly meters: TrafficMeters;
  /** How soon proxies report again. */
  readonly pace = new ReportPace();
  /** What Envoys sent, by their load reports. */
  readonly loads: Loads;
  readonly mesh: ReportedMesh;
  readonly #clock: Clock;

  constructor(clock: Clock, hostSuffix: string, view: () => CatalogView) {
    this.store = new TrafficStore(clock);
    this.reporters = new Reporters(clock);
    this.meters = new TrafficMeters(clock);
    this.loads = new Loads(clock);
    this.#clock = clock;
    this.mesh = meshOf(hostSuffix, view);
  }

  /** Undefined: nobody reports, so nothing is known. */
  flows(): ReturnType<TrafficSeen['flows']> {
    return this.reporters.status().length === 0 ? undefined : callsSeen(this.store.flows(hourMs));
  }

  status(): readonly ReporterStatus[] {
    return this.reporters.status();
  }

  query({ source, destination, sinceMs, all }: TrafficQuery): Traffic {
    const flows = this.store.flows(sinceMs, ({ source: { principal }, destination: to }) => {
      const [, , namespace = '', , account = ''] = principal.split('/');
      return party(source, namespace, account, principal) && party(destination, to.namespace, to.name, to.host);
    });
    const [until, { since, folded }] = [this.#clock.now(), this.store.stats()];
    const from = Math.max(since, until - sinceMs);
    return {
      since: new Date(from).toISOString(),
      until: new Date(until).toISOString(),
      seconds: (until - from) / 1_000,
      reporters: this.reporters.status().length,
      foldedKeys: folded,
      flows: (all ? flows : countedOnce(flows)).map(itemOf).sort(byNames),
    };
  }
}

/** NAMESPACE/NAME, NAMESPACE/, or the whole name. */
function party(wanted: string | undefined, namespace: string, name: string, whole: string): boolean {
  return wanted === undefined || wanted === `${namespace}/${name}` || wanted === `${namespace}/` || wanted === whole;
}

function meshOf(hostSuffix: string, view: () => CatalogView): ReportedMesh {
  return {
    hostSuffix,
    isService: (namespace, name) => view().services.has(serviceKey(namespace, name)),
    serves: ({ spiffeId, cluster }, namespace, name) =>
      view()
        .local.get(serviceKey(namespace, name))
        ?.endpoints.some(
          (e) => e.cluster === cluster && e.identityNamespace === spiffeId.namespace && e.serviceAccount === spiffeId.serviceAccount,
        ) ?? false,
  };
}

function itemOf({ key, counts, folded, firstAt, lastAt }: TrafficFlow): TrafficItem {
  const { reporter, source, route, destination: to, group } = key;
  const { requests, connections, attempts, bytesReceived, bytesSent, codes, grpcCodes, flags, latency, latencySumMs } = counts;
  const failed = Math.min(requests, failedRequests(counts));
  const at = (q: number) => latencyQuantile(latency, q) ?? 0;
  return {
    reporter,
    source: source.principal,
    sourceCluster: source.cluster,
    route,
    destination: to.name === '' ? to.host : `${to.namespace}/${to.name}`,
    port: to.port,
    subset: to.subset,
    ...group,
    folded,
    requests,
    connections,
    attempts,
    bytesReceived,
    bytesSent,
    codes: Object.fromEntries(codes),
    grpcCodes: Object.fromEntries(grpcCodes),
    flags: Object.fromEntries(flags),
    success: requests === 0 ? null : (requests - failed) / requests,
    latency: requests === 0 ? null : { p50: at(0.5), p90: at(0.9), p99: at(0.99), mean: latencySumMs / requests },
    firstAt: new Date(firstAt).toISOString(),
    lastAt: new Date(lastAt).toISOString(),
  };
}

function byNames(a: TrafficItem, b: TrafficItem): number {
  const text = (i: TrafficItem) => `${i.source} ${i.destination} ${i.port} ${i.route} ${i.subset} ${i.cluster} ${i.locality} ${i.reporter}`;
  return text(a) < text(b) ? -1 : 1;
}
