import type {
  AccessPolicyObject,
  AuthorizationPolicyObject,
  ExportPolicyObject,
  PeerObject,
  RegistryObject,
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
