import { z } from 'zod';
import type { RequestAuthenticationSpec } from '../../../core/config/index.ts';
import { fields } from '../../../core/yaml/index.ts';
import { duration } from './fields.ts';
import { noted, refused } from './refused.ts';
import { checkSelection, matchLabels, targetRefs, targetsOf } from './workload-selection.ts';

const text = z.string().min(1, { error: 'must not be empty' });
const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: 'must be the name of a header' })
  .transform((name) => name.toLowerCase());

/** What only proxies may say, and what a message is framed by. */
const reserved = /^(host|content-length|transfer-encoding|connection|upgrade|te|trailer|x-forwarded-client-cert|x-isthmus-.*)$/;
const outputHeader = headerName.refine((name) => !reserved.test(name), { error: 'must not be a header that proxies need themselves' });

function uriFault(value: string): string | undefined {
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    return 'must be a URL';
  }
  if (url.username !== '' || url.password !== '') return 'must not hold credentials';
  if (url.hash !== '') return 'must not have a fragment';
  const { protocol, hostname } = url;
  if (protocol === 'https:') return undefined;
  const loopback = hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
  return protocol === 'http:' && loopback ? undefined : 'must be https: whoever changes keys on their way can forge every token';
}

const jwksUri = z.string().superRefine((value, ctx) => {
  const fault = uriFault(value);
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

const jwks = z.string().superRefine((value, ctx) => {
  const fault = jwksFault(value);
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

function jwksFault(value: string): string | undefined {
  try {
    const { keys } = JSON.parse(value) as { keys?: unknown };
    if (!Array.isArray(keys) || keys.length === 0) return 'must hold keys (RFC 7517)';
    const secret = keys.some((key: unknown) => typeof key === 'object' && key !== null && ('d' in key || 'k' in key));
    return secret ? 'must hold public keys alone' : undefined;
  } catch {
    return 'must be JSON (RFC 7517)';
  }
}

const jwtRule = fields({
  issuer: text,
  audiences: z.array(text).default([]),
  jwksUri: noted(jwksUri, 'fetched by the control plane alone; https, or http on loopback').optional(),
  jwks_uri: refused('it is jwksUri'),
  jwks: jwks.optional(),
  fromHeaders: z.array(fields({ name: headerName, prefix: z.string().default('') })).default([]),
  fromParams: z.array(text).default([]),
  fromCookies: z.array(text).default([]),
  outputPayloadToHeader: outputHeader.optional(),
  outputClaimToHeaders: z.array(fields({ header: outputHeader, claim: text })).default([]),
  forwardOriginalToken: z.boolean().default(false),
  spaceDelimitedClaims: z.array(text).default([]),
  timeout: duration.refine((ms) => ms >= 1_000 && ms <= 60_000, { error: 'must be 1s-60s' }).default(5_000),
}).superRefine(({ jwks: keys, jwksUri: uri }, ctx) => {
  if ((keys === undefined) === (uri === undefined)) {
    ctx.addIssue({
      code: 'custom',
      path: ['jwksUri'],
      message: 'must be there, or jwks, and not both: an issuer says for itself where its keys are',
    });
  }
});

export const requestAuthenticationSchema = fields({
  selector: matchLabels,
  targetRef: refused('it is targetRefs, a list'),
  targetRefs,
  jwtRules: z.array(jwtRule).default([]),
}).superRefine((value, ctx) => {
  checkSelection(value, ctx);
  const issuers = value.jwtRules.map(({ issuer }) => issuer);
  for (const [i, issuer] of issuers.entries()) {
    if (issuers.indexOf(issuer) < i) ctx.addIssue({ code: 'custom', path: ['jwtRules', i, 'issuer'], message: 'is named twice' });
  }
});

export function toRequestAuthentication(spec: z.output<typeof requestAuthenticationSchema>): RequestAuthenticationSpec {
  const services = targetsOf(spec.targetRefs);
  const rules = spec.jwtRules.map((rule) => ({
    issuer: rule.issuer,
    audiences: rule.audiences,
    jwks: rule.jwks ?? '',
    ...(rule.jwksUri === undefined ? {} : { jwksUri: rule.jwksUri }),
    fromHeaders: rule.fromHeaders,
    fromParams: rule.fromParams,
    fromCookies: rule.fromCookies,
    forwardOriginal: rule.forwardOriginalToken,
    outputPayloadHeader: rule.outputPayloadToHeader ?? '',
    outputClaims: rule.outputClaimToHeaders,
    spaceDelimitedClaims: rule.spaceDelimitedClaims,
    timeoutMs: rule.timeout,
  }));
  return { selector: spec.selector.matchLabels, rules, ...(services === undefined ? {} : { services }) };
}
