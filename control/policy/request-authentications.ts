import type { TokenRule } from '../../core/authz/index.ts';
import type { RequestAuthenticationObject, RequestTokenRule } from '../../core/config/index.ts';
import { systemNamespace } from '../../core/model/index.ts';
import { compareText } from '../catalog/index.ts';
import type { Policy } from './contract.ts';
import { type Selection, selectionOf, selects } from './select-services.ts';

interface Compiled extends Selection {
  readonly rules: readonly TokenRule[];
}

/**
 * Istio's RequestAuthentication: how the tokens of requests are verified, those of all objects that select a service together. `keysOf`
 * says which keys were last had from where (RFC 7517, JSON); undefined: none, and no token of that issuer holds.
 */
export function requestAuthentications(
  objects: readonly RequestAuthenticationObject[],
  keysOf: (jwksUri: string) => string | undefined,
): Policy {
  const byNamespace = new Map<string, Compiled[]>();
  const named = [...objects].sort((a, b) => compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`));
  for (const object of named) {
    const compiled = { ...selectionOf(object), rules: object.spec.rules.map((rule) => withKeys(rule, keysOf)) };
    byNamespace.set(object.namespace, [...(byNamespace.get(object.namespace) ?? []), compiled]);
  }
  return {
    name: 'request-authentications',
    apply: (draft, service, view) => {
      const own = view.local.get(draft.service);
      if (own === undefined) return draft;
      const namespaces = new Set([systemNamespace, service.namespace]);
      const rules = [...namespaces].flatMap((n) => byNamespace.get(n) ?? []).flatMap((each) => (selects(each, own) ? each.rules : []));
      return rules.length === 0 ? draft : { ...draft, tokens: [...(draft.tokens ?? []), ...rules] };
    },
  };
}

function withKeys({ jwksUri, timeoutMs, ...rule }: RequestTokenRule, keysOf: (jwksUri: string) => string | undefined): TokenRule {
  return jwksUri === undefined ? rule : { ...rule, jwks: keysOf(jwksUri) ?? '' };
}
