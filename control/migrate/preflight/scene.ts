import type { MigrationSide, MigrationSpec } from '../../../core/config/index.ts';
import { meshHost, type Protocol, type ServiceKey, serviceKey } from '../../../core/model/index.ts';
import type { CatalogEndpoint, CatalogView, Contribution, MergedService, SourceStatus } from '../../catalog/index.ts';
import { isKnownTo } from '../../routing/index.ts';
import type { PreflightFacts, RegistryFact } from './contract.ts';

/** One side as it is known here. */
export interface Side {
  readonly cluster: string;
  readonly registry: string;
  /** Of the object, for paths: `spec.from` or `spec.to`. */
  readonly path: string;
  /** `SOURCE`, or `CLUSTER/SOURCE` of another cluster. */
  readonly label: string;
  /** It belongs to the cluster that is asked. */
  readonly local: boolean;
  readonly source: SourceStatus | undefined;
  readonly config: RegistryFact | undefined;
  /** What it says of the service; undefined: nothing, or nothing that may be published. */
  readonly contribution: Contribution | undefined;
  readonly endpoints: readonly CatalogEndpoint[];
  /** Of these, those that take traffic. */
  readonly healthy: readonly CatalogEndpoint[];
}

/** Facts in the order in which checks ask for them. */
export interface Scene {
  readonly facts: PreflightFacts;
  readonly namespace: string;
  readonly name: string;
  readonly spec: MigrationSpec;
  readonly key: ServiceKey;
  readonly host: string;
  readonly service: MergedService | undefined;
  readonly from: Side;
  readonly to: Side;
}

export function sceneOf(facts: PreflightFacts, namespace: string, name: string, spec: MigrationSpec): Scene {
  const key = serviceKey(namespace, spec.service);
  const service = facts.view.services.get(key);
  const host = meshHost({ namespace, name: spec.service }, facts.hostSuffix);
  const from = sideOf('spec.from', spec.from, service?.endpoints ?? [], { facts, service });
  // What both know is the old side's, as in routing.
  const others = service?.endpoints.filter((e) => !from.endpoints.includes(e)) ?? [];
  const to = sideOf('spec.to', spec.to, others, { facts, service });
  return { facts, namespace, name, spec, key, host, service, from, to };
}

function sideOf(
  path: string,
  side: MigrationSide,
  among: readonly CatalogEndpoint[],
  { facts, service }: Pick<Scene, 'facts' | 'service'>,
): Side {
  const { view, registries } = facts;
  const cluster = side.cluster === '' ? view.cluster : side.cluster;
  const { registry } = side;
  const local = cluster === view.cluster;
  const endpoints = among.filter((e) => isKnownTo({ cluster, registry }, e));
  return {
    cluster,
    registry,
    path,
    label: local ? registry : `${cluster}/${registry}`,
    local,
    source: view.sources.find((s) => s.cluster === cluster && s.source === registry),
    config: local ? registries.find((r) => r.id === registry) : undefined,
    contribution: service?.contributions.find((c) => c.cluster === cluster && c.source === registry),
    endpoints,
    healthy: takingTraffic(endpoints),
  };
}

/** As callers choose: those whose health nobody knows count while none is known to be healthy. */
function takingTraffic(endpoints: readonly CatalogEndpoint[]): readonly CatalogEndpoint[] {
  const open = endpoints.filter((e) => e.weight > 0);
  const known = open.filter((e) => e.health === 'healthy');
  return known.length > 0 ? known : open.filter((e) => e.health === 'unknown');
}

/** The view as it is once nobody but `side` serves any more. */
export function viewOfSide(view: CatalogView, service: MergedService, side: Side): CatalogView {
  const only = (s: MergedService): MergedService => ({
    ...s,
    endpoints: s.endpoints.filter((e) => side.endpoints.some((own) => own.key === e.key)),
    contributions: s.contributions.filter((c) => c.cluster === side.cluster && c.source === side.registry),
    labels: side.contribution?.labels ?? {},
  });
  const replaced = (map: CatalogView['services']) => {
    const own = map.get(service.key);
    return own === undefined ? map : new Map(map).set(service.key, only(own));
  };
  return { ...view, services: replaced(view.services), local: replaced(view.local) };
}

const httpProtocols: readonly Protocol[] = ['http', 'http2', 'grpc'];

/** Whether requests are seen in it; elsewhere only connections are. */
export function isHttp(protocol: Protocol): boolean {
  return httpProtocols.includes(protocol);
}

/** No port of the service carries requests. */
export function isByteStream({ service }: Pick<Scene, 'service'>): boolean {
  return service !== undefined && service.ports.length > 0 && !service.ports.some((p) => isHttp(p.protocol));
}
