import assert from 'node:assert/strict';
import test from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describeRouting } from '../../../control/objects/plan/describe-routing.ts';
import type { ClusterRef, HttpMatch, HttpRule, RetryPolicy, Routing, WeightedDestination } from '../../../core/traffic/index.ts';
import { routings } from '../../support/arbitraries/routing.ts';

type Json = string | number | boolean | Uint8Array | readonly Json[] | { readonly [key: string]: Json };

/** What acts of a routing, with the defaults said. */
function acting({ virtualHosts, l4 }: Routing): unknown {
  return {
    hosts: virtualHosts.map(({ domains, rules }) => ({ domains, rules: rules.map(actingRule) })),
    l4: l4.map(({ matches, destinations }) => ({ matches: real(matches, {}), destinations: shares(destinations) })),
  };
}

function actingRule({ name: _, matches, action, fault = {}, ...rest }: HttpRule<ClusterRef>): unknown {
  const said = { ...rest, fault, matches: real(matches.map(actingMatch), actingMatch({ headers: [], query: [], sourceLabels: {} })) };
  if (action.type !== 'route') return { ...said, action };
  const { timeoutMs = 0, retries, destinations, mirrors } = action;
  const mirrored = mirrors.map(({ destination, percent }) => ({ ...place(destination), percent }));
  return {
    ...said,
    action: { ...action, timeoutMs, retries: retries && actingRetries(retries), destinations: shares(destinations), mirrors: mirrored },
  };
}

function real(matches: readonly unknown[], every: unknown): readonly unknown[] {
  const empty = (match: unknown) =>
    isDeepStrictEqual(match, every) || isDeepStrictEqual(match, { destinationSubnets: [], sniHosts: [], sourceLabels: {} });
  return matches.length === 1 && empty(matches[0]) ? [] : matches;
}

function actingMatch({ name: _, ...match }: HttpMatch): unknown {
  const positive = (list: HttpMatch['headers']) => list.map((each) => ({ ...each, not: each.not ?? false }));
  const ignoreCase = match.path !== undefined && (match.ignoreCase ?? false);
  return { ...match, ignoreCase, headers: positive(match.headers), query: positive(match.query) };
}

function actingRetries(retries: RetryPolicy): unknown {
  const { attempts, perTryTimeoutMs = 0, backoffMs = 25, otherLocalities = false, ignorePreviousHosts = true, on, statusCodes } = retries;
  if (attempts === 0) return { attempts, perTryTimeoutMs };
  return { attempts, perTryTimeoutMs, backoffMs, otherLocalities, ignorePreviousHosts, on, statusCodes };
}

function shares(destinations: readonly WeightedDestination<ClusterRef>[]): unknown {
  const sum = destinations.reduce((total, { weight }) => total + weight, 0);
  return destinations.map((d) => ({ ...d, destination: place(d.destination), weight: destinations.length === 1 ? 1 : d.weight / sum }));
}

function place({ cluster, missing }: ClusterRef): ClusterRef {
  return cluster === '' && missing !== undefined ? { cluster, missing } : { cluster };
}

const otherType: Readonly<Record<string, string>> = {
  exact: 'prefix',
  prefix: 'full',
  full: 'prefix',
  suffix: 'exact',
  segments: 'exact',
  regex: 'exact',
};
const optional = new Set(
  ['path', 'ignoreCase', 'method', 'scheme', 'authority', 'sourceNamespace', 'not', 'rewrite', 'timeoutMs', 'retries', 'port'].concat(
    ['perTryTimeoutMs', 'backoffMs', 'otherLocalities', 'ignorePreviousHosts', 'body', 'requestHeaders', 'responseHeaders', 'cors'],
    ['fault', 'delay', 'abort', 'grpcStatus', 'maxAgeS', 'allowCredentials', 'forwardNotMatching'],
  ),
);

/** The same with one thing in it changed or left out: each of those there are. */
function* changed(value: Json, key = ''): Generator<Json> {
  if (value instanceof Uint8Array) yield Uint8Array.from([...value, 65]);
  else if (typeof value === 'boolean') yield !value;
  else if (typeof value === 'number') yield value + 1;
  else if (typeof value === 'string') yield* key === 'type' ? [otherType[value] ?? value] : [`${value}x`, `${value} or`, `${value}, x`];
  else if (Array.isArray(value)) {
    for (const [i, each] of value.entries()) for (const other of changed(each)) yield [...value.slice(0, i), other, ...value.slice(i + 1)];
  } else {
    for (const [name, each] of Object.entries(value)) {
      for (const other of changed(each, name)) yield { ...value, ...Object.fromEntries([[name, other]]) };
      if (optional.has(name)) yield Object.fromEntries(Object.entries(value).filter(([other]) => other !== name));
    }
  }
}

function compare(a: Routing, texts: readonly string[], b: Routing): void {
  if (isDeepStrictEqual(texts, describeRouting(b))) assert.deepEqual(acting(a), acting(b), JSON.stringify([a, b]));
}

test('routings that differ in one thing that acts are described differently', () => {
  fc.assert(
    fc.property(routings, (routing) => {
      const texts = describeRouting(routing);
      for (const other of changed(routing as unknown as Json)) compare(routing, texts, other as unknown as Routing);
    }),
  );
});

test('so are any two that do not do the same', () => {
  fc.assert(
    fc.property(routings, routings, (a, b) => compare(a, describeRouting(a), b)),
    { numRuns: 300 },
  );
});
