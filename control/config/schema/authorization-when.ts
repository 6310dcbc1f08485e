import { z } from 'zod';
import type { AuthzAttribute, AuthzCondition } from '../../../core/authz/index.ts';
import { fields } from '../../../core/yaml/index.ts';
import { allOf, anyOf, blockFault, cidrOf, noneOf, portFault, requestPrincipalFault } from './authorization-match.ts';
import { principalFault, starFault } from './principal-pattern.ts';

interface Key {
  readonly attribute: AuthzAttribute;
  readonly names: readonly string[];
  readonly faultOf: (text: string) => string | undefined;
  /** As conditions have it. */
  readonly pattern?: (text: string) => string;
}

const block = { faultOf: blockFault, pattern: (text: string) => cidrOf(text) ?? text, names: [] };

const plain: ReadonlyMap<string, Key> = new Map<string, Key>([
  ['source.ip', { attribute: 'source-ip', ...block }],
  ['destination.ip', { attribute: 'destination-ip', ...block }],
  ['source.namespace', { attribute: 'namespace', names: [], faultOf: starFault }],
  ['source.principal', { attribute: 'principal', names: [], faultOf: principalFault }],
  ['destination.port', { attribute: 'port', names: [], faultOf: portFault }],
  ['connection.sni', { attribute: 'sni', names: [], faultOf: starFault }],
  ['request.auth.principal', { attribute: 'request-principal', names: [], faultOf: requestPrincipalFault }],
  ['request.auth.audiences', { attribute: 'claim', names: ['aud'], faultOf: starFault }],
  ['request.auth.presenter', { attribute: 'claim', names: ['azp'], faultOf: starFault }],
]);

function keyOf(text: string): Key | undefined {
  const found = plain.get(text);
  if (found !== undefined) return found;
  const header = /^request\.headers\[([A-Za-z0-9!#$%&'*+.^_`|~-]+)\]$/.exec(text)?.[1];
  if (header !== undefined) return { attribute: 'header', names: [header.toLowerCase()], faultOf: starFault };
  const claims = /^request\.auth\.claims((?:\[[^[\]]+\])+)$/.exec(text)?.[1];
  return claims === undefined ? undefined : { attribute: 'claim', names: claims.slice(1, -1).split(']['), faultOf: starFault };
}

function keyFault(text: string): string | undefined {
  if (text === 'remote.ip') return 'is not supported: nothing tells which hops may be believed; source.ip is the direct peer';
  if (text.startsWith('experimental.')) return 'is not supported: nothing of Envoy alone is';
  if (keyOf(text) !== undefined) return undefined;
  return `is none of ${[...plain.keys()].join(', ')}, request.headers[NAME], request.auth.claims[NAME]`;
}

export const whenSchema = fields({
  key: z.string().superRefine((text, ctx) => {
    const fault = keyFault(text);
    if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
  }),
  values: z.array(z.string()).default([]),
  notValues: z.array(z.string()).default([]),
}).superRefine(({ key, values, notValues }, ctx) => {
  const known = keyOf(key);
  if (known === undefined) return;
  if (values.length + notValues.length === 0) ctx.addIssue({ code: 'custom', message: 'must hold values or notValues' });
  for (const [field, list] of [['values', values] as const, ['notValues', notValues] as const]) {
    for (const [i, text] of list.entries()) {
      const fault = known.faultOf(text);
      if (fault !== undefined) ctx.addIssue({ code: 'custom', path: [field, i], message: fault });
    }
  }
});

export function whenCondition({ key, values, notValues }: z.output<typeof whenSchema>): AuthzCondition | undefined {
  const known = keyOf(key);
  if (known === undefined) return { kind: 'unknown' };
  const { attribute, names, pattern = (text: string) => text } = known;
  return allOf([...anyOf(attribute, values.map(pattern), names), ...noneOf(attribute, notValues.map(pattern), names)]);
}
