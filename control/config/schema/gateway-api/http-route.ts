import { z } from 'zod';
import type { RouteRule, RouteSpec } from '../../../../core/config/index.ts';
import { type DestinationRef, defaultRetries, type HttpAction, type RetryPolicy } from '../../../../core/traffic/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import type { SpecContext } from '../../kinds/row.ts';
import { across, listOf, present, type Report, type Written } from '../across.ts';
import { noted, refused } from '../refused.ts';
import { toCors } from './cors.ts';
import { checkFilters, httpBackendFilter, httpFilter, toMirrors } from './filters.ts';
import { toHeaderChanges } from './header-modifier.ts';
import { everyPath, httpMatch, toHttpMatch } from './http-match.ts';
import { toRedirect, toRewrite } from './path-modifier.ts';
import { backendWith, checkParents, parentRefs, toBackend, toParents } from './references.ts';
import { defaultGateways, gepDuration, hostname, ruleNames, sectionName, withRuleNames } from './values.ts';

export const sessions = refused('write a DestinationRule with loadBalancer.consistentHash, by httpCookie or httpHeaderName');

const backendRef = across(backendWith({ filters: z.array(httpBackendFilter).max(16).default([]) }), checkFilters);

const timeouts = across(
  fields({ request: noted(gepDuration, '0s: none').optional(), backendRequest: noted(gepDuration, 'of each try; 0s: none').optional() }),
  ({ request, backendRequest }, report) => {
    if (typeof request === 'number' && typeof backendRequest === 'number' && request > 0 && backendRequest > request)
      report(['backendRequest'], 'must not be longer than request: it is a part of that');
  },
);

const retry = fields({
  codes: z.array(z.int().min(400).max(599)).default([]),
  attempts: z.int().min(0).max(100).default(1),
  backoff: gepDuration.optional(),
});

const rule = across(
  fields({
    name: sectionName.optional(),
    matches: z.array(httpMatch).max(64, { error: 'holds more than 64' }).default([]),
    filters: z.array(httpFilter).max(16, { error: 'holds more than 16' }).default([]),
    backendRefs: z.array(backendRef).max(16, { error: 'holds more than 16' }).default([]),
    timeouts: timeouts.optional(),
    retry: retry.optional(),
    sessionPersistence: sessions,
  }),
  (value, report) => {
    checkFilters(value, report);
    checkRedirect(value, report);
    checkPrefix(value, report);
  },
);

function filterAt(value: Written, field: string): [number, Written] | undefined {
  const list = listOf(value['filters']);
  const at = list.findIndex((each) => present(each, [field]).length > 0);
  const found = (list[at] as Written | undefined)?.[field];
  return typeof found === 'object' && found !== null ? [at, found as Written] : undefined;
}

function checkRedirect(value: Written, report: Report): void {
  if (filterAt(value, 'requestRedirect') === undefined) return;
  if (listOf(value['backendRefs']).length > 0) report(['backendRefs'], 'means nothing with RequestRedirect, which sends no request on');
  for (const field of present(value, ['timeouts', 'retry']))
    report([field], 'means nothing with RequestRedirect, which sends no request on');
}

/** A prefix can only be replaced where one was matched, and it is known which. */
function checkPrefix(value: Written, report: Report): void {
  const matches = listOf(value['matches']);
  const path = (matches[0] as Written | null | undefined)?.['path'] as Written | null | undefined;
  const fits = matches.length === 0 || (matches.length === 1 && (path?.['type'] ?? 'PathPrefix') === 'PathPrefix');
  for (const field of ['requestRedirect', 'urlRewrite']) {
    const found = filterAt(value, field);
    if (found === undefined || fits || present(found[1]['path'], ['replacePrefixMatch']).length === 0) continue;
    report(
      ['filters', found[0], field, 'path', 'replacePrefixMatch'],
      'needs exactly one match, with a path of type PathPrefix, which it replaces',
    );
  }
}

/** HTTPRoute. */
export const httpRouteSchema = withRuleNames(
  across(
    fields({
      parentRefs,
      hostnames: noted(
        z.array(hostname).max(16, { error: 'holds more than 16' }),
        'of listeners; callers in the mesh ask for the parent itself',
      ).default([]),
      rules: z.array(rule).max(16, { error: 'holds more than 16' }).default([]),
      useDefaultGateways: defaultGateways,
    }),
    checkParents,
  ),
);

type WrittenRule = z.output<typeof rule>;

export function toHttpRoute(spec: z.output<typeof httpRouteSchema>, { namespace, name, createdAt }: SpecContext): RouteSpec {
  const names = ruleNames(`${namespace}/${name}`, spec.rules);
  return {
    origin: 'HTTPRoute',
    hosts: spec.hostnames,
    parents: toParents(spec.parentRefs, namespace),
    http: spec.rules.map((each, i) => toRule(each, names[i] ?? '', namespace)),
    l4: [],
    exportTo: [],
    createdAt,
  };
}

function toRule(written: WrittenRule, name: string, namespace: string): RouteRule {
  const policy = written.filters.find((each) => each.cors !== undefined)?.cors;
  const matches =
    written.matches.length === 0 ? [{ path: everyPath, headers: [], query: [], sourceLabels: {} }] : written.matches.map(toHttpMatch);
  return {
    name,
    matches,
    conditions: matches.map(() => ({ ports: [], gateways: [] })),
    action: toAction(written, namespace),
    ...toHeaderChanges(written.filters),
    ...(policy === undefined ? {} : { cors: toCors(policy) }),
  };
}

function toAction(written: WrittenRule, namespace: string): HttpAction<DestinationRef> {
  const { filters, backendRefs, timeouts: times } = written;
  const elsewhere = filters.find((each) => each.requestRedirect !== undefined)?.requestRedirect;
  if (elsewhere !== undefined) return toRedirect(elsewhere);
  // The reference of HTTPRouteRule.backendRefs: without one, and without an answer of its own, 500.
  if (backendRefs.length === 0) return { type: 'direct', status: 500 };
  const rewrite = filters.find((each) => each.urlRewrite !== undefined)?.urlRewrite;
  const retries = toRetries(written);
  return {
    type: 'route',
    destinations: backendRefs.map((each) => ({
      destination: toBackend(each, namespace),
      weight: each.weight,
      ...toHeaderChanges(each.filters),
    })),
    ...(rewrite === undefined ? {} : { rewrite: toRewrite(rewrite) }),
    ...(times?.request === undefined ? {} : { timeoutMs: times.request }),
    ...(retries === undefined ? {} : { retries }),
    mirrors: toMirrors(filters, namespace),
  };
}

/** With `retry` its codes, and what the reference of HTTPRouteRetry counts as connection errors. */
function toRetries({ retry: said, timeouts: times }: WrittenRule): RetryPolicy | undefined {
  const perTry = times?.backendRequest === undefined || times.backendRequest === 0 ? {} : { perTryTimeoutMs: times.backendRequest };
  if (said === undefined) return 'perTryTimeoutMs' in perTry ? { ...defaultRetries, ...perTry } : undefined;
  return {
    attempts: said.attempts,
    on: [...defaultRetries.on, 'reset', ...(said.codes.length === 0 ? [] : (['retriable-status-codes'] as const))],
    statusCodes: said.codes,
    ...(said.backoff === undefined ? {} : { backoffMs: said.backoff }),
    ...perTry,
  };
}
