import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type AuthzRule, authorize } from '../../../core/authz/index.ts';
import { networkRbac } from '../../../core/xds/envoy/authorization.ts';
import { Action, RBAC_Action } from '../../../core/xds/gen/envoy/config/rbac/v3/rbac.ts';
import { RBAC } from '../../../core/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac.ts';
import type { Matcher, Matcher_MatcherList_Predicate, Matcher_OnMatch } from '../../../core/xds/gen/xds/type/matcher/v3/matcher.ts';

interface Sans {
  readonly uri: readonly string[];
  readonly dns: readonly string[];
}

/** What Envoy does with the matcher: the first that matches decides (xDS matcher docs); inputs are SANs joined by commas. */
function envoyAllows(matcher: Matcher | undefined, sans: Sans): boolean {
  const list = matcher?.matcherType?.$case === 'matcherList' ? matcher.matcherType.value.matchers : [];
  const hit = list.find((each) => holds(each.predicate, sans));
  return actionOf(hit?.onMatch ?? matcher?.onNoMatch) === RBAC_Action.ALLOW;
}

function actionOf(on: Matcher_OnMatch | undefined): number {
  const any = on?.onMatch?.$case === 'action' ? on.onMatch.value.typedConfig : undefined;
  assert.ok(any !== undefined);
  return Action.decode(any.value).action;
}

function holds(predicate: Matcher_MatcherList_Predicate | undefined, sans: Sans): boolean {
  const type = predicate?.matchType;
  switch (type?.$case) {
    case 'andMatcher':
      assert.ok(type.value.predicate.length >= 2);
      return type.value.predicate.every((each) => holds(each, sans));
    case 'orMatcher':
      assert.ok(type.value.predicate.length >= 2);
      return type.value.predicate.some((each) => holds(each, sans));
    case 'notMatcher':
      return !holds(type.value, sans);
    case 'singlePredicate': {
      const input = type.value.input?.typedConfig?.typeUrl.endsWith('.UriSanInput') ? sans.uri : sans.dns;
      const pattern = type.value.matcher?.$case === 'valueMatch' ? type.value.matcher.value.matchPattern : undefined;
      assert.equal(pattern?.$case, 'safeRegex');
      const regex = pattern?.$case === 'safeRegex' ? pattern.value.regex : '';
      return input.length > 0 && new RegExp(`^(?:${regex})$`).test(input.join(','));
    }
    case undefined:
      throw new Error('an empty predicate');
  }
}

const label = fc.constantFrom('a', 'b', 'ab', 'a-b', 'shop');
const caller = fc.record({ cluster: label, namespace: label, account: label }).map(({ cluster, namespace, account }) => ({
  cluster,
  namespace,
  principal: `mesh.test/ns/${namespace}/sa/${account}`,
}));
const namePattern = fc.oneof(
  label,
  fc.constant('*'),
  label.map((l) => `${l}*`),
  label.map((l) => `*${l}`),
  fc.constantFrom('a.b', 'a+', '*a*', '['),
);
const principalPattern = fc.oneof(
  caller.map((c) => c.principal),
  fc.constantFrom('*', 'mesh.test/*', 'mesh.test/ns/a*', '*/sa/a', '*b', 'meshxtest/ns/a/sa/a', 'mesh.test/ns/*/sa/a'),
);
const match = fc.record({
  principals: fc.array(principalPattern, { maxLength: 2 }),
  namespaces: fc.array(namePattern, { maxLength: 2 }),
  clusters: fc.array(namePattern, { maxLength: 2 }),
  notPrincipals: fc.array(principalPattern, { maxLength: 2 }),
  notNamespaces: fc.array(namePattern, { maxLength: 2 }),
});
const rule: fc.Arbitrary<AuthzRule> = fc
  .record({ action: fc.constantFrom('allow' as const, 'deny' as const), own: match, also: fc.option(fc.array(match, { maxLength: 2 })) })
  .map(({ action, own: { principals, namespaces, clusters }, also }) => ({
    action,
    name: 'rule',
    principals,
    namespaces,
    clusters,
    ...(also === null ? {} : { also }),
  }));

const matcherOf = (rules: readonly AuthzRule[], federated?: readonly string[]) =>
  RBAC.decode(
    networkRbac({ trustDomain: 'mesh.test', rules, deniedSerials: [], ...(federated === undefined ? {} : { federated }) }, 'x').config
      .value,
  ).matcher;

test('what Envoy is told decides as our own proxies do', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 4 }), caller, (rules, who) => {
      const sans = { uri: [`spiffe://${who.principal}`], dns: [`${who.cluster}.cluster.mesh.test`] };
      assert.equal(envoyAllows(matcherOf(rules), sans), authorize(rules, who).allowed);
    }),
    { numRuns: 2_000 },
  );
});

test('nobody without exactly one identity and one cluster of this mesh is let in, whatever the rules', () => {
  const allowAll: AuthzRule = { action: 'allow', name: 'all', principals: [], namespaces: [], clusters: [] };
  const [uri, dns] = ['spiffe://mesh.test/ns/a/sa/b', 'a.cluster.mesh.test'];
  assert.equal(envoyAllows(matcherOf([allowAll]), { uri: [uri], dns: [dns] }), true);
  const wrong: Sans[] = [
    { uri: [uri], dns: [] },
    { uri: [], dns: [dns] },
    { uri: [uri, uri], dns: [dns] },
    { uri: [uri], dns: [dns, 'b.cluster.mesh.test'] },
    { uri: [dns], dns: [uri] },
    { uri: ['spiffe://other.test/ns/a/sa/b'], dns: [dns] },
    { uri: [uri], dns: ['a.cluster.mesh.test.evil'] },
    { uri: ['spiffe://mesh.test/ns/a/sa/b/x'], dns: [dns] },
  ];
  for (const sans of wrong) assert.equal(envoyAllows(matcherOf([allowAll]), sans), false, JSON.stringify(sans));
  assert.equal(envoyAllows(matcherOf([]), { uri: [uri], dns: [dns] }), false);
});

const partners = ['partner.example', 'mesh.test.partner'];
const foreignPattern = fc.oneof(
  principalPattern,
  fc.constantFrom(
    'partner.example/*',
    'partner.example/ns/shop/sa/a',
    'partner.example/w*',
    'partner*',
    '*/sa/a',
    'mesh.test*',
    'third.example/*',
  ),
);
const foreignRule = fc
  .tuple(rule, fc.array(foreignPattern, { maxLength: 2 }), fc.boolean())
  .map(([each, principals, bare]): AuthzRule => ({ ...each, principals, ...(bare ? { namespaces: [], clusters: [] } : {}) }));
const foreigner = fc
  .tuple(fc.constantFrom(...partners), fc.constantFrom('/ns/shop/sa/a', '/workload', '/a/b', '/sa/a'))
  .map(([domain, path]) => ({ principal: `${domain}${path}`, namespace: '', cluster: '', foreign: true as const }));

test('callers of other trust domains, too, are decided by Envoy as by our own proxies, whatever DNS names they bring', () => {
  let allowed = 0;
  fc.assert(
    fc.property(
      fc.array(foreignRule, { maxLength: 4 }),
      foreigner,
      fc.constantFrom([], ['east.cluster.mesh.test'], ['a.cluster.mesh.test', 'b']),
      (rules, who, dns) => {
        const decided = authorize(rules, who).allowed;
        allowed += decided ? 1 : 0;
        assert.equal(envoyAllows(matcherOf(rules, partners), { uri: [`spiffe://${who.principal}`], dns }), decided);
      },
    ),
    { numRuns: 3_000 },
  );
  assert.ok(allowed > 0, 'nobody was allowed, so that nothing was shown');
});

test('who is federated changes nothing for callers of the mesh', () => {
  fc.assert(
    fc.property(fc.array(foreignRule, { maxLength: 4 }), caller, (rules, who) => {
      const sans = { uri: [`spiffe://${who.principal}`], dns: [`${who.cluster}.cluster.mesh.test`] };
      assert.equal(envoyAllows(matcherOf(rules, partners), sans), authorize(rules, who).allowed);
    }),
    { numRuns: 1_000 },
  );
});
