import type {
  AccessPolicyObject,
  AuthorizationPolicyObject,
  ExportPolicyObject,
  FederatedTrustDomainObject,
  PeerAuthenticationObject,
  PeerObject,
  RegistryObject,
  RequestAuthenticationObject,
  TrafficObject,
  WorkloadGroupSpec,
} from '../../core/config/index.ts';
import type { LoadedConfig } from '../config/index.ts';
import { isTrafficObject, type ObjectView } from '../objects/index.ts';

export function registriesOf(config: LoadedConfig): readonly RegistryObject[] {
  return config.objects.filter((o): o is RegistryObject => o.kind === 'Registry');
}

/**
 * Its own ExportPolicies, and what its ServiceExports come to: the service of that name, for every peer. Whatever a peer says of
 * exports, and wherever it says that to hold, is of the peer's own services: nobody exports those of another.
 */
export function exportsOf(config: LoadedConfig, { objects }: ObjectView, cluster: string): readonly ExportPolicyObject[] {
  const own = [...objects.values()].filter((o) => o.owner.cluster === cluster).map((o) => o.object);
  return [
    ...config.objects.filter((o): o is ExportPolicyObject => o.kind === 'ExportPolicy'),
    ...own.flatMap(({ kind, namespace, name }): ExportPolicyObject[] =>
      kind === 'ServiceExport' ? [{ kind: 'ExportPolicy', namespace, name, spec: { services: [name], labels: {}, audience: ['*'] } }] : [],
    ),
  ];
}

export function peersOf(config: LoadedConfig): readonly PeerObject[] {
  return config.objects.filter((o): o is PeerObject => o.kind === 'Peer');
}

export function federatedOf(config: LoadedConfig): readonly FederatedTrustDomainObject[] {
  return config.objects.filter((o): o is FederatedTrustDomainObject => o.kind === 'FederatedTrustDomain');
}

export function accessPoliciesOf(config: LoadedConfig): readonly AccessPolicyObject[] {
  return config.objects.filter((o): o is AccessPolicyObject => o.kind === 'AccessPolicy');
}

/** From files and applied alike. */
export function authorizationPoliciesOf({ objects }: ObjectView): readonly AuthorizationPolicyObject[] {
  return [...objects.values()].map((o) => o.object).filter((o): o is AuthorizationPolicyObject => o.kind === 'AuthorizationPolicy');
}

export function requestAuthenticationsOf({ objects }: ObjectView): readonly RequestAuthenticationObject[] {
  return [...objects.values()].map((o) => o.object).filter((o): o is RequestAuthenticationObject => o.kind === 'RequestAuthentication');
}

export function peerAuthenticationsOf({ objects }: ObjectView): readonly PeerAuthenticationObject[] {
  return [...objects.values()].map((o) => o.object).filter((o): o is PeerAuthenticationObject => o.kind === 'PeerAuthentication');
}

const traffic = new WeakMap<ObjectView, readonly TrafficObject[]>();

/** The same list each time it is asked for of one view: what compiles it looks at a list once. */
export function trafficObjectsOf(view: ObjectView): readonly TrafficObject[] {
  const all = () => [...view.objects.values()].map((o) => o.object);
  const known = traffic.get(view) ?? all().filter(isTrafficObject);
  traffic.set(view, known);
  return known;
}

const groups = new WeakMap<readonly TrafficObject[], ReadonlyMap<string, WorkloadGroupSpec>>();

/** By NAMESPACE/NAME. */
export function workloadGroupsOf(view: ObjectView): ReadonlyMap<string, WorkloadGroupSpec> {
  const all = trafficObjectsOf(view);
  const known =
    groups.get(all) ?? new Map(all.flatMap((o) => (o.kind === 'WorkloadGroup' ? [[`${o.namespace}/${o.name}`, o.spec] as const] : [])));
  groups.set(all, known);
  return known;
}
