import { authorize } from '../../core/authz/index.ts';
import type { AuthzState } from '../state/types.ts';
import type { PeerIdentity } from './contract.ts';

/** In Envoy's words, `none` where no ALLOW rule matched; undefined: allowed. */
export function denialOf(authz: AuthzState, peer: PeerIdentity): string | undefined {
  const { allowed, rule } = authorize(authz.rules, peer);
  return allowed ? undefined : `rbac_access_denied_matched_policy[${rule?.name ?? 'none'}]`;
}
