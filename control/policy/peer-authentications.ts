import type { AuthzRule } from '../../core/authz/index.ts';
import type { PeerAuthenticationObject } from '../../core/config/index.ts';
import type { Policy } from './contract.ts';
import { MtlsModes, type ServiceMtls } from './mtls-modes.ts';
import { peerAuthenticationFindings } from './peer-authentication-findings.ts';

/**
 * Istio's PeerAuthentication: what the plain listeners of a service take, and that callers in the clear, who prove nothing, may come where
 * they are taken. It stands before AuthorizationPolicies, which narrow that as they narrow all else; what such a caller can meet is a
 * condition on its address or its request, never one on who it is. Only of this cluster's own services: a peer's are guarded by the peer.
 */
export function peerAuthentications(objects: readonly PeerAuthenticationObject[]): Policy {
  const modes = new MtlsModes(objects);
  return {
    name: 'peer-authentications',
    apply: (draft, _service, view) => {
      const own = view.local.get(draft.service);
      const mtls = own === undefined ? undefined : modes.of(own);
      if (mtls === undefined) return draft;
      return { ...draft, mtls, rules: [...draft.rules, ...plaintextRules(mtls)] };
    },
    findings: (view) => peerAuthenticationFindings(objects, modes, view),
  };
}

/** One for each object that opens ports. Whoever proves an identity meets none of them. */
function plaintextRules({ ports }: ServiceMtls): AuthzRule[] {
  const open = new Map<string, string[]>();
  for (const { port, mode, by = '' } of ports) if (mode !== 'strict') open.set(by, [...(open.get(by) ?? []), String(port)]);
  return [...open].map(([by, patterns]) => ({
    action: 'allow',
    name: `plaintext by PeerAuthentication ${by}`,
    principals: [],
    namespaces: [],
    clusters: [],
    when: {
      kind: 'all',
      of: [
        { kind: 'not', of: { kind: 'test', attribute: 'principal', names: [], patterns: ['*'] } },
        { kind: 'test', attribute: 'port', names: [], patterns },
      ],
    },
  }));
}
