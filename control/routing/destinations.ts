import { outboundClusterName, type ServiceKey, splitServiceKey } from '../../core/model/index.ts';
import type { ClusterRef, DestinationRef, L4Rule, Mirror, RouteAction, WeightedDestination } from '../../core/traffic/index.ts';
import type { MergedService } from '../catalog/index.ts';
import type { Lookup } from './lookup.ts';
import type { RouteObject } from './objects.ts';
import { subsetNames } from './rule-path.ts';
import { byHash, type Led, type SplitRoute, splitDestinations, splitOf, splitRoute } from './shift.ts';

/** From where a rule is looked at: its object, and the listener that it is compiled for. */
export interface RuleContext {
  readonly lookup: Lookup;
  readonly object: RouteObject;
  /** Of a destination that names no port, where it has several. */
  readonly listenerPort: number;
  /** `mesh`, or NAMESPACE/NAME of a gateway. */
  readonly gateway: string;
  /** Told every service that an xDS cluster was named of. */
  readonly onService: (key: ServiceKey) => void;
}

export interface Problem {
  readonly code: 'dangling-reference' | 'reference-not-granted';
  readonly message: string;
}

export type Resolved =
  | { readonly service: MergedService; readonly port: number; readonly subset: string; readonly problem?: never }
  | { readonly problem: Problem };

/** Where a destination leads. `listenerPort` undefined: not known, any port will do. */
export function resolveDestination(ref: DestinationRef, object: RouteObject, lookup: Lookup, listenerPort: number | undefined): Resolved {
  const service = ref.service === true ? lookup.service(ref.host as ServiceKey) : lookup.resolve(ref.host, object.namespace);
  if (ref.service === true && !granted(ref.host as ServiceKey, object, lookup)) {
    const { namespace } = splitServiceKey(ref.host as ServiceKey);
    return problem(
      'reference-not-granted',
      `service ${ref.host} is in another namespace, and no ReferenceGrant in ${namespace} lets ${object.kind}s of ${object.namespace} refer to it`,
    );
  }
  if (service === undefined) return problem('dangling-reference', unanswered(ref.host, object));
  const port = destinationPort(ref, service, listenerPort);
  if (port === undefined) {
    const said = ref.port ?? listenerPort;
    return problem(
      'dangling-reference',
      `service ${service.key} has no port ${said}: it has ${service.ports.map((p) => p.port).join(', ') || 'none'}`,
    );
  }
  const subset = ref.subset ?? '';
  if (subset !== '') {
    const known = subsetNames(service, lookup);
    if (!known.includes(subset)) {
      const hint = known.length === 0 ? 'no DestinationRule defines any' : `there are ${known.join(', ')}`;
      return problem('dangling-reference', `service ${service.key} has no subset ${subset}: ${hint}`);
    }
  }
  return { service, port, subset };
}

/** What is shared may be meant for a cluster that has the service; it is this one's finding all the same. */
function unanswered(host: string, object: RouteObject): string {
  const elsewhere = object.scope === 'mesh' ? ': it is known nowhere from here, by its own or as an export of a peer' : '';
  return `no service answers to ${host}${elsewhere}`;
}

function problem(code: Problem['code'], message: string): Resolved {
  return { problem: { code, message } };
}

/** Istio's rule: the one that is named, or the only one there is, or that of the listener. */
function destinationPort(ref: DestinationRef, service: MergedService, listenerPort: number | undefined): number | undefined {
  const wanted = ref.port ?? (service.ports.length === 1 ? service.ports[0]?.port : listenerPort);
  if (wanted === undefined) return service.ports[0]?.port;
  return service.ports.find((p) => p.port === wanted)?.port;
}

/** The Gateway API's rule for references into other namespaces. */
function granted(key: ServiceKey, object: RouteObject, lookup: Lookup): boolean {
  const { namespace, name } = splitServiceKey(key);
  if (namespace === object.namespace) return true;
  return lookup
    .grants(namespace)
    .some(
      ({ spec }) =>
        spec.from.some((f) => f.group === 'gateway.networking.k8s.io' && f.kind === object.kind && f.namespace === object.namespace) &&
        spec.to.some((t) => isService(t) && (t.name === undefined || t.name === '' || t.name === name)),
    );
}

/** By either of its kinds it is the same service of the mesh. */
function isService({ group, kind }: { readonly group: string; readonly kind: string }): boolean {
  return (group === '' && kind === 'Service') || (group === 'multicluster.x-k8s.io' && kind === 'ServiceImport');
}

function led(ref: DestinationRef, context: RuleContext): Led {
  const found = resolveDestination(ref, context.object, context.lookup, context.listenerPort);
  if (found.problem !== undefined) return { destination: nowhere(context.object) };
  const { service, port, subset } = found;
  context.onService(service.key);
  const destination = { cluster: outboundClusterName({ port, subset, host: context.lookup.canonicalHost(service) }) };
  return { destination, split: subset === '' ? splitOf(service, port, context.lookup) : undefined };
}

/** Both kinds say with what a share that leads nowhere is answered. */
function nowhere(object: RouteObject): ClusterRef {
  return { cluster: '', missing: object.kind === 'VirtualService' ? 503 : 500 };
}

type Destinations = readonly WeightedDestination<DestinationRef>[];

/** At least one, with a sum over 0: weights that allow nothing lead nowhere. */
function allLed(destinations: Destinations, context: RuleContext): Parameters<typeof splitDestinations>[0] {
  const sum = destinations.reduce((total, d) => total + Math.max(0, d.weight), 0);
  // Istio: the weight of an only destination means nothing. In the Gateway API a 0 is one.
  const free = context.object.kind === 'VirtualService' && destinations.length === 1;
  if (sum <= 0 && !free) return [{ led: { destination: nowhere(context.object) }, weight: 1 }];
  return destinations.map(({ destination, ...d }) => ({ ...d, weight: free ? 1 : Math.max(0, d.weight), led: led(destination, context) }));
}

/** Of connections. */
export function compileDestinations(destinations: Destinations, context: RuleContext): Pick<L4Rule<ClusterRef>, 'destinations' | 'byHash'> {
  const all = allLed(destinations, context);
  return { destinations: splitDestinations(all), ...byHash(all.map(({ led }) => led)) };
}

/** Of requests. Copies that lead nowhere are not made. */
export function compileRoute(action: RouteAction<DestinationRef>, context: RuleContext): SplitRoute {
  const mirrors = action.mirrors.map((m): Mirror<Led> => ({ ...m, destination: led(m.destination, context) }));
  const made = mirrors.filter((m) => m.destination.destination.cluster !== '' && m.percent > 0);
  return splitRoute(allLed(action.destinations, context), made);
}
