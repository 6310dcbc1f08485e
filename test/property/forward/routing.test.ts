import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ClusterRef, HttpMatch, HttpRule, NamedMatch, PathMatch, StringMatch } from '../../../core/traffic/index.ts';
import { pickWeighted, RequestView, Router } from '../../../gateway/routing/index.ts';

const word = fc.constantFrom('a', 'b', 'ab', 'A', '');
const path = fc.array(fc.constantFrom('a', 'b', 'ab', 'A'), { maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const stringMatch: fc.Arbitrary<StringMatch> = fc.record({ type: fc.constantFrom('exact', 'prefix', 'suffix'), value: word });
const pathMatch: fc.Arbitrary<PathMatch> = fc.record({ type: fc.constantFrom('exact', 'prefix', 'segments'), value: path });
const named: fc.Arbitrary<NamedMatch> = fc.record(
  { name: fc.constantFrom('x', 'y'), value: stringMatch, not: fc.boolean() },
  { requiredKeys: ['name'] },
);
const match: fc.Arbitrary<HttpMatch> = fc.record(
  {
    path: pathMatch,
    ignoreCase: fc.boolean(),
    method: fc.constant<StringMatch>({ type: 'exact', value: 'GET' }),
    headers: fc.array(named, { maxLength: 2 }),
    query: fc.array(named, { maxLength: 2 }),
    sourceLabels: fc.constantFrom<Record<string, string>>({}, { app: 'front' }, { app: 'other' }),
  },
  { requiredKeys: ['headers', 'query', 'sourceLabels'] },
);
const rules = fc.array(fc.array(match, { maxLength: 3 }), { maxLength: 4 });
const domain = fc.constantFrom('a.example', 'b.a.example', '*.example', '*.a.example', '*');
const request = fc.record({
  method: fc.constantFrom('GET', 'POST'),
  path: fc.tuple(path, fc.constantFrom('', '?x=a', '?y=ab&x=', '?x')).map(([plain, query]) => plain + query),
  authority: fc.constantFrom('a.example', 'B.a.example:80', 'c.a.example', 'elsewhere'),
  scheme: fc.constant('http'),
  headers: fc.array(fc.tuple(fc.constantFrom('x', 'y', 'z'), word), { maxLength: 3 }).map((pairs) => pairs.flat()),
});
type Facts = typeof request extends fc.Arbitrary<infer T> ? T : never;

/** What the contract says, written as plainly as can be. */
function naive(
  virtualHosts: readonly { domains: readonly string[]; rules: readonly HttpRule<ClusterRef>[] }[],
  facts: Facts,
): string | undefined {
  const host = facts.authority.toLowerCase().replace(/:\d+$/, '');
  const rank = (each: string) =>
    each === host
      ? 1_000
      : each === '*'
        ? 1
        : each.startsWith('*') && host.endsWith(each.slice(1)) && host.length >= each.length
          ? 1 + each.length
          : 0;
  const [best] = virtualHosts
    .flatMap((each) => each.domains.map((name) => ({ each, rank: rank(name) })))
    .filter(({ rank: r }) => r > 0)
    .sort((a, b) => b.rank - a.rank);
  return best?.each.rules.find((rule) => rule.matches.length === 0 || rule.matches.some((m) => naiveMatch(m, facts)))?.name;
}

function naiveMatch(m: HttpMatch, { method, path: target, headers }: Facts): boolean {
  const [plain = '', query] = target.split('?');
  const fold = (text: string) => (m.ignoreCase === true ? text.toLowerCase() : text);
  const is = (s: StringMatch, value: string) =>
    s.type === 'exact' ? value === s.value : s.type === 'prefix' ? value.startsWith(s.value) : value.endsWith(s.value);
  const onPath = (p: PathMatch) => {
    const [have, want] = [fold(plain), fold(p.value)];
    if (p.type !== 'segments') return p.type === 'exact' ? have === want : have.startsWith(want);
    return want === '/' || have === want || have.startsWith(`${want}/`);
  };
  const lines = (name: string) => headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === name);
  const parameter = (name: string) => new URLSearchParams(query).getAll(name).slice(0, 1);
  const some = (n: NamedMatch, values: readonly string[]) =>
    values.some((value) => n.value === undefined || is(n.value, value)) !== (n.not === true);
  return (
    (m.path === undefined || onPath(m.path)) &&
    (m.method === undefined || is(m.method, method)) &&
    m.headers.every((each) => some(each, lines(each.name))) &&
    m.query.every((each) => some(each, parameter(each.name))) &&
    m.sourceLabels['app'] !== 'other'
  );
}

describe('routing', () => {
  test('finds what the plain reading of the rules finds', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(domain, rules), { selector: ([name]) => name, maxLength: 3 }), request, (hosts, facts) => {
        const virtualHosts = hosts.map(([name, list]) => ({
          name,
          domains: [name],
          rules: list.map((matches, i) => ({ name: `${name} ${i}`, matches, action: { type: 'direct' as const, status: 200 } })),
        }));
        const router = new Router({ namespace: 'web', labels: { app: 'front' } });
        const found = router.of({ virtualHosts, l4: [] }).rule(new RequestView(facts));
        assert.equal(found?.rule.name, naive(virtualHosts, facts));
      }),
      { numRuns: 2_000 },
    );
  });

  test('weights hold within statistical bounds, 99 to 1 among them', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(99), { minLength: 2, maxLength: 5 }), fc.integer({ min: 1, max: 2 ** 31 - 2 }), (weights, seed) => {
        check([...weights, 1], seed);
        check([99, 1], seed);
      }),
      { numRuns: 20 },
    );
  });
});

/** Six standard deviations of the binomial distribution. */
function check(weights: readonly number[], seed: number): void {
  const draws = 20_000;
  const total = weights.reduce((sum, each) => sum + each, 0);
  const choices = weights.map((weight, index) => ({ weight, index }));
  const counts = weights.map(() => 0);
  let state = seed;
  for (let i = 0; i < draws; i++) {
    // Park and Miller's generator.
    state = (state * 48_271) % 2_147_483_647;
    const { index } = pickWeighted(choices, (state - 1) / 2_147_483_646) ?? assert.fail('nothing was picked');
    counts[index] = (counts[index] ?? 0) + 1;
  }
  weights.forEach((weight, index) => {
    const p = weight / total;
    const bound = 6 * Math.sqrt(draws * p * (1 - p)) + 1;
    assert.ok(Math.abs((counts[index] ?? 0) - draws * p) <= bound, `${weights}: ${counts}`);
  });
}
