import { z } from 'zod';
import type { RouteRule } from '../../../../core/config/index.ts';
import type { DestinationRef, HttpAction } from '../../../../core/traffic/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { across, listOf, oneFieldOf, present, type Report, type Written } from '../across.ts';
import { dnsLabel, dnsName } from '../fields.ts';
import { noted, refused } from '../refused.ts';
import {
  checkWeights,
  directResponse,
  httpDestination,
  redirect,
  rewrite,
  toDirect,
  toMirror,
  toRedirect,
  toRewrite,
  toWeighted,
} from './http-action.ts';
import { headers, toHeaders } from './http-headers.ts';
import { httpMatch, toHttpMatch } from './http-match.ts';
import { corsPolicy, fault, retries, toCors, toFault, toRetries } from './http-resilience.ts';
import { destination, durationOrZero, percent } from './values.ts';

const actions = ['route', 'redirect', 'directResponse', 'delegate'] as const;
/** What only a route that leads somewhere can have. */
const ofRoutes = ['rewrite', 'timeout', 'retries', 'fault', 'mirror', 'mirrors', 'mirrorPercentage', 'mirrorPercent'] as const;

const mirrorShare = z.int().min(0).max(100);

const shape = {
  name: z.string().min(1).optional(),
  match: z.array(httpMatch).default([]),
  route: z.array(httpDestination).min(1, { error: 'must name at least one destination' }).optional(),
  redirect: redirect.optional(),
  directResponse: directResponse.optional(),
  delegate: fields({ name: dnsName, namespace: dnsLabel.optional() }).optional(),
  rewrite: rewrite.optional(),
  timeout: durationOrZero.optional(),
  retries: retries.optional(),
  fault: fault.optional(),
  mirror: destination.optional(),
  mirrors: z.array(fields({ destination, percentage: percent.optional() })).optional(),
  mirrorPercentage: percent.optional(),
  mirrorPercent: noted(mirrorShare, 'deprecated: mirrorPercentage').optional(),
  mirror_percent: refused('write mirrorPercentage'),
  corsPolicy: corsPolicy.optional(),
  headers: headers.optional(),
};

const exclusive = oneFieldOf(
  oneFieldOf(oneFieldOf(fields(shape), actions), ['mirror', 'mirrors'], 0),
  ['mirrorPercentage', 'mirrorPercent'],
  0,
);

/** Istio's HTTPRoute (of a VirtualService). */
export const httpRoute = across(exclusive, (value, report) => {
  checkWeights(value['route'], (message) => report(['route'], message));
  for (const share of present(value, ['mirrorPercentage', 'mirrorPercent'])) {
    if (value['mirror'] === undefined) report([share], 'means nothing without mirror; of mirrors each has its own percentage');
  }
  for (const action of present(value, ['redirect', 'directResponse'])) {
    for (const field of present(value, ofRoutes)) report([field], `means nothing with ${action}, which sends no request on`);
  }
  checkPrefixes(value, report);
});

/** A prefix can only be replaced where one was matched. */
function checkPrefixes(value: Written, report: Report): void {
  if (present(value['redirect'], ['prefixRewrite']).length === 0) return;
  const matches = listOf(value['match']);
  const fits = matches.every((match) => present((match as Written | null)?.['uri'], ['prefix']).length > 0);
  if (matches.length === 0 || !fits) report(['redirect', 'prefixRewrite'], 'needs a uri.prefix in every match, which it replaces');
}

type WrittenRoute = z.output<typeof httpRoute>;

/** `name`: unique in the object. */
export function toRouteRule(written: WrittenRoute, name: string, namespace: string, gateway: (name: string) => string): RouteRule {
  const { delegate, corsPolicy: cors, fault: faults } = written;
  return {
    name,
    matches: written.match.map(toHttpMatch),
    conditions: written.match.map((each) => ({
      ports: each.port === undefined ? [] : [each.port],
      gateways: each.gateways.map(gateway),
    })),
    action: toAction(written),
    ...toHeaders(written.headers),
    ...(cors === undefined ? {} : { cors: toCors(cors) }),
    ...(faults === undefined ? {} : { fault: toFault(faults) }),
    ...(delegate === undefined ? {} : { delegate: { namespace: delegate.namespace ?? namespace, name: delegate.name } }),
  };
}

function toAction(written: WrittenRoute): HttpAction<DestinationRef> {
  if (written.redirect !== undefined) return toRedirect(written.redirect);
  if (written.directResponse !== undefined) return toDirect(written.directResponse);
  // A delegate that is not there leads nowhere, as in Istio.
  if (written.route === undefined) return { type: 'direct', status: 404 };
  const { timeout } = written;
  return {
    type: 'route',
    destinations: written.route.map(toWeighted),
    ...(written.rewrite === undefined ? {} : { rewrite: toRewrite(written.rewrite) }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    ...(written.retries === undefined ? {} : { retries: toRetries(written.retries) }),
    mirrors: toMirrors(written),
  };
}

/** Without a share everything is mirrored. */
function toMirrors({ mirror, mirrors, mirrorPercentage, mirrorPercent }: WrittenRoute) {
  if (mirror !== undefined) return [toMirror(mirror, mirrorPercentage?.value ?? mirrorPercent ?? 100)];
  return (mirrors ?? []).map((each) => toMirror(each.destination, each.percentage?.value ?? 100));
}
