import type {
  AccessPolicyObject,
  AuthorizationPolicyObject,
  ExportPolicyObject,
  PeerObject,
  RegistryObject,
  TrafficObject,
} from '../../core/config/index.ts';
import type { LoadedConfig } from '../config/index.ts';

export function registriesOf(config: LoadedConfig): readonly RegistryObject[] {
  return config.objects.filter((o): o is RegistryObject => o.kind === 'Registry');
}

export function exportsOf(config: LoadedConfig): readonly ExportPolicyObject[] {
  return config.objects.filter((o): o is ExportPolicyObject => o.kind === 'ExportPolicy');
}

export function peersOf(config: LoadedConfig): readonly PeerObject[] {
  return config.objects.filter((o): o is PeerObject => o.kind === 'Peer');
}

export function accessPoliciesOf(config: LoadedConfig): readonly AccessPolicyObject[] {
  return config.objects.filter((o): o is AccessPolicyObject => o.kind === 'AccessPolicy');
}

export function authorizationPoliciesOf(config: LoadedConfig): readonly AuthorizationPolicyObject[] {
  return config.objects.filter((o): o is AuthorizationPolicyObject => o.kind === 'AuthorizationPolicy');
}

const traffic = new WeakMap<LoadedConfig, readonly TrafficObject[]>();

/** The same list each time it is asked for of one configuration: what compiles it looks at a list once. */
export function trafficObjectsOf(config: LoadedConfig): readonly TrafficObject[] {
  const known = traffic.get(config) ?? config.objects.filter((o): o is TrafficObject => 'group' in o);
  traffic.set(config, known);
  return known;
}
