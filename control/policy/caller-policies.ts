import type { AuthzRule } from '../../core/authz/index.ts';
import type { ExportPolicyObject } from '../../core/config/index.ts';
import { clusterId, formatSpiffeId, gatewayServiceAccount, principalOf, systemNamespace } from '../../core/model/index.ts';
import { compareText, exportingPolicies } from '../catalog/index.ts';
import type { Policy } from './contract.ts';

export interface CallerPolicyInput {
  readonly cluster: string;
  readonly trustDomain: string;
  readonly exports: readonly ExportPolicyObject[];
  /** Peer cluster → namespaces whose identities it may present here; `*` for all. */
  readonly peers: ReadonlyMap<string, readonly string[]>;
}

/**
 * Who may call what without any AuthorizationPolicy: identities of this cluster call its services; a peer's call what is
 * exported to that peer, for the namespaces it may speak for. A peer's gateway speaks for callers without a sidecar, so it may
 * call whatever its cluster may. Decided on the pair (cluster SAN, URI SAN): an identity alone is no proof of where it comes from.
 */
export function callerPolicies(input: CallerPolicyInput): readonly Policy[] {
  return [localCallers(input), peerCallers(input)];
}

function localCallers(input: CallerPolicyInput): Policy {
  const rule = allow(`cluster ${input.cluster}`, { clusters: [input.cluster] });
  return { name: 'local-callers', apply: (draft) => ({ ...draft, rules: [...draft.rules, rule] }) };
}

function peerCallers(input: CallerPolicyInput): Policy {
  const { trustDomain } = input;
  const gateway = principalOf({ trustDomain, namespace: systemNamespace, serviceAccount: gatewayServiceAccount });
  const rulesOf = (peer: string, namespaces: readonly string[]): AuthzRule[] => {
    const name = `exported to ${peer}`;
    if (namespaces.includes('*')) return [allow(name, { clusters: [peer] })];
    return [
      ...(namespaces.length === 0 ? [] : [allow(name, { clusters: [peer], namespaces: [...namespaces].sort() })]),
      allow(`${name}, its gateways`, { clusters: [peer], principals: [gateway] }),
    ];
  };
  return {
    name: 'peer-callers',
    apply: (draft, _service, view) => {
      // Only what is ours to answer for: a peer's endpoints are guarded by the peer. And only our own sources' labels
      // select it, or a peer could open a service to itself by what it says of that name.
      const own = view.local.get(draft.service);
      if (own === undefined) return draft;
      const peers = [...input.peers]
        .filter(([peer]) => exportingPolicies(own, clusterId(peer), input.exports).length > 0)
        .sort(([a], [b]) => compareText(a, b));
      const rules = peers.flatMap(([peer, namespaces]) => rulesOf(peer, namespaces));
      return rules.length === 0 ? draft : { ...draft, rules: [...draft.rules, ...rules] };
    },
  };
}

function allow(name: string, match: Partial<Pick<AuthzRule, 'principals' | 'namespaces' | 'clusters'>>): AuthzRule {
  return { action: 'allow', name, principals: [], namespaces: [], clusters: [], ...match };
}

/** `spiffe://…` of a caller as policies see it. */
export function callerOf(id: { trustDomain: string; namespace: string; serviceAccount: string }, cluster: string) {
  return { principal: formatSpiffeId(id).slice('spiffe://'.length), namespace: id.namespace, cluster };
}
