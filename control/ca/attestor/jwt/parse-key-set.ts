import type { JSONWebKeySet, JWK } from 'jose';

const maxKeys = 64;
/** RFC 7518 §6, RFC 8037: the public members. */
const publicMembers = ['kty', 'kid', 'alg', 'use', 'n', 'e', 'crv', 'x', 'y'] as const;

/**
 * The public keys of a JWK Set that signatures can be checked with; undefined: it is none, or has none. Shared secrets (`oct`) are left out: whoever
 * knows one can sign.
 */
export function parseKeySet(json: unknown): JSONWebKeySet | undefined {
  const listed = (json as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(listed)) return undefined;
  const keys = listed.slice(0, maxKeys).flatMap((each: unknown): JWK[] => {
    if (typeof each !== 'object' || each === null) return [];
    const key = each as Record<string, unknown>;
    if (key['use'] !== undefined && key['use'] !== 'sig') return [];
    if (key['kty'] !== 'RSA' && key['kty'] !== 'EC' && key['kty'] !== 'OKP') return [];
    const members = publicMembers.flatMap((name) => (typeof key[name] === 'string' ? [[name, key[name]] as const] : []));
    return [Object.fromEntries(members) as unknown as JWK];
  });
  return keys.length === 0 ? undefined : { keys };
}
