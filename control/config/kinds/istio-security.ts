import { authorizationPolicySchema, toAuthorizationPolicy } from '../schema/authorization-policy.ts';
import { dnsName } from '../schema/fields.ts';
import { peerAuthenticationSchema, rootSelectorFault, toPeerAuthentication } from '../schema/peer-authentication.ts';
import { requestAuthenticationSchema, toRequestAuthentication } from '../schema/request-authentication.ts';
import { type KindRow, kindRow, type SpecContext, type SpecResult } from './row.ts';

/** They guard what a cluster itself serves: others have them when they say so. */
const guarding = { group: 'security.istio.io', versions: ['v1', 'v1beta1'], namespaced: true, name: dnsName, scope: 'cluster' } as const;

/** Istio's security kinds, as they are. */
export const istioSecurityKinds: readonly KindRow[] = [
  kindRow({ ...guarding, kind: 'AuthorizationPolicy', schema: authorizationPolicySchema, to: toAuthorizationPolicy }),
  kindRow({ ...guarding, kind: 'RequestAuthentication', schema: requestAuthenticationSchema, to: toRequestAuthentication }),
  { ...guarding, kind: 'PeerAuthentication', schema: peerAuthenticationSchema, parse: parsePeerAuthentication },
];

function parsePeerAuthentication(raw: unknown, context: SpecContext): SpecResult {
  const result = peerAuthenticationSchema.safeParse(raw, { reportInput: true });
  const fault = rootSelectorFault(context.namespace, result.data?.selector.matchLabels ?? {});
  const inRoot = fault === undefined ? [] : [{ code: 'custom' as const, path: ['selector'], message: fault, input: raw }];
  const issues = [...(result.error?.issues ?? []), ...inRoot];
  return result.success && issues.length === 0 ? { value: toPeerAuthentication(result.data, context), issues } : { issues };
}
