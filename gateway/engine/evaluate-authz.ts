import { type AuthzFacts, authorize, type ConnectionFacts, mayBeAllowed, type RequestFacts } from '../../core/authz/index.ts';
import { parseSniName } from '../../core/model/index.ts';
import type { AuthzState } from '../state/types.ts';
import type { ConnectionSource, PeerIdentity } from './contract.ts';

/** In Envoy's words, `none` where no ALLOW rule matched; undefined: allowed. */
export function denialOf(authz: AuthzState, facts: AuthzFacts): string | undefined {
  const { allowed, rule } = authorize(authz.rules, facts);
  return allowed ? undefined : `rbac_access_denied_matched_policy[${rule?.name ?? 'none'}]`;
}

/** Of a connection for requests: only where none of them could be allowed. */
export function connectionDenial(authz: AuthzState, facts: AuthzFacts): string | undefined {
  return mayBeAllowed(authz.rules, facts) ? undefined : denialOf(authz, facts);
}

export function connectionFacts(connection: {
  readonly source: ConnectionSource;
  readonly destination: ConnectionSource;
  readonly sni: string;
  readonly inTheClear?: number | undefined;
}): ConnectionFacts {
  const { source, destination, sni, inTheClear } = connection;
  const port = inTheClear ?? parseSniName(sni)?.port ?? 0;
  return { sourceAddress: source.address, destinationAddress: destination.address, port, sni };
}

/** Who came in the clear. No pattern matches what was not proven. */
const nobody: Pick<PeerIdentity, 'principal' | 'namespace' | 'cluster' | 'foreign'> = { principal: '', namespace: '', cluster: '' };

/** `peer` undefined: it came in the clear. */
export function factsOf(
  peer: PeerIdentity | undefined,
  connection: ConnectionFacts,
  request: RequestFacts | 'none' | undefined,
): AuthzFacts {
  const { principal, namespace, cluster, foreign } = peer ?? nobody;
  const who = { principal, namespace, cluster, ...(foreign === undefined ? {} : { foreign }) };
  return { ...who, connection, ...(request === undefined ? {} : { request }) };
}
