import assert from 'node:assert/strict';
import test from 'node:test';
import { authorizationPolicies, authorize, callerPolicies, explainDecision } from '../../../control/policy/index.ts';
import { compileAuthz } from '../../../control/snapshot/build-service.ts';
import type { AuthorizationPolicyObject, AuthorizationPolicySpec, ExportPolicyObject } from '../../../core/config/index.ts';
import { native } from '../../../core/xds/index.ts';
import { checkAuthz } from '../../../core/xds/validate-authz.ts';
import { inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';

type AuthorizationSource = AuthorizationPolicySpec['rules'][number]['from'][number];
const source = (more: Partial<AuthorizationSource>): AuthorizationSource => ({
  principals: [],
  notPrincipals: [],
  namespaces: [],
  notNamespaces: [],
  clusters: [],
  ...more,
});
const from = (...sources: Partial<AuthorizationSource>[]) => ({ from: sources.map(source) });
const policy = (name: string, spec: Partial<AuthorizationPolicySpec>, namespace = 'shop'): AuthorizationPolicyObject => ({
  kind: 'AuthorizationPolicy',
  name,
  namespace,
  spec: { selector: {}, action: 'ALLOW', rules: [], ...spec },
});
const caller = (sa: string, namespace = 'shop', cluster = 'east') => ({
  principal: `mesh.test/ns/${namespace}/sa/${sa}`,
  namespace,
  cluster,
});

const here = { ...serviceOf('orders', [{ instance: 'vm-1' }]), labels: { app: 'orders' } };
const there = { ...serviceOf('payments', [{ instance: 'p1', cluster: 'west', network: 'b' }]), labels: { app: 'orders' } };

function authzWith(policies: readonly AuthorizationPolicyObject[], service = here, exports: readonly ExportPolicyObject[] = []) {
  const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports, peers: new Map([['west', ['*']]]) });
  return compileAuthz(service, inputsOf(viewOf([here, there]), { policies: [...base, authorizationPolicies(policies)] }));
}
const allows = (
  policies: readonly AuthorizationPolicyObject[],
  who: ReturnType<typeof caller>,
  exports: readonly ExportPolicyObject[] = [],
) => authorize(authzWith(policies, here, exports).rules, who).allowed;
const toWest: ExportPolicyObject = {
  kind: 'ExportPolicy',
  name: 'all',
  namespace: '*',
  spec: { services: ['*'], labels: {}, audience: ['west'] },
};

test('no policy, another namespace, other labels: nothing changes', () => {
  const plain = authzWith([]);
  assert.equal(plain.selectedBy, undefined);
  assert.deepEqual(authzWith([policy('p', {}, 'bank'), policy('q', { selector: { app: 'web' } })]), plain);
});

test('one endpoint with the labels is enough, and one without them lifts nothing; a peer’s never count', () => {
  const web = caller('web');
  const none = [policy('none', { selector: { app: 'orders', tier: 'db' } })];
  const mixed = (...labels: readonly Record<string, string>[]) => ({
    ...serviceOf(
      'orders',
      labels.map((l, i) => ({ instance: `vm-${i}`, labels: l })),
    ),
    labels: { app: 'orders' },
  });
  const of = (service: ReturnType<typeof mixed>, local = service) => {
    const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
    const view = { ...viewOf([service]), local: new Map([[local.key, local]]) };
    return authorize(compileAuthz(service, inputsOf(view, { policies: [...base, authorizationPolicies(none)] })).rules, web).allowed;
  };
  assert.equal(of(mixed({}, { tier: 'db' })), false);
  assert.equal(of(mixed({}, { tier: 'web' })), true);
  assert.equal(of(mixed({ tier: 'db', app: 'other' })), false);
  assert.equal(of(mixed({}, { tier: 'db' }), mixed({})), true);
});

test('an ALLOW policy without rules allows nobody, one with an empty rule everybody whom the mesh lets', () => {
  assert.equal(allows([policy('none', {})], caller('web')), false);
  assert.equal(allows([policy('none', {}, 'isthmus-system')], caller('web')), false);
  assert.equal(allows([policy('all', { rules: [{ from: [] }] })], caller('web')), true);
  assert.equal(allows([policy('none', {}), policy('web', { rules: [from({ principals: ['*/sa/web'] })] })], caller('web')), true);
});

test('a policy never opens to a peer what is not exported to it', () => {
  const open = [policy('open', { rules: [from({ clusters: ['west'] }), { from: [] }] })];
  assert.equal(allows(open, caller('web', 'shop', 'west')), false);
  assert.equal(allows(open, caller('web', 'shop', 'west'), [toWest]), true);
  assert.equal(allows(open, caller('web', 'shop', 'north'), [toWest]), false);
});

test('DENY wins over ALLOW, by cluster too', () => {
  const both = [
    policy('open', { rules: [{ from: [] }] }),
    policy('not-west', { action: 'DENY', rules: [from({ clusters: ['west'], notPrincipals: ['*/sa/gateway'] })] }, 'isthmus-system'),
  ];
  assert.equal(allows(both, caller('web', 'shop', 'west'), [toWest]), false);
  assert.equal(allows(both, caller('gateway', 'isthmus-system', 'west'), [toWest]), true);
  assert.equal(allows(both, caller('web')), true);
});

test('the pair of principal and cluster counts: the same identity from a peer is another caller', () => {
  const pair = [policy('pair', { rules: [from({ principals: ['mesh.test/ns/shop/sa/web'], clusters: ['east'] })] })];
  assert.equal(allows(pair, caller('web'), [toWest]), true);
  assert.equal(allows(pair, caller('web', 'shop', 'west'), [toWest]), false);
});

test('a service without endpoints of ours is left alone: its peer decides', () => {
  const authz = authzWith([policy('none', {}), policy('deny', { action: 'DENY', rules: [{ from: [] }] })], there);
  assert.equal(authz.selectedBy, undefined);
  assert.equal(authorize(authz.rules, caller('web')).allowed, true);
});

test('what a service costs does not grow with peers × policies', () => {
  const rules = Array.from({ length: 10 }, (_, i) => from({ principals: [`*/sa/a${i}`] }, { principals: [`*/sa/b${i}`] }));
  const base = callerPolicies({
    cluster: 'east',
    trustDomain: 'mesh.test',
    exports: [{ ...toWest, spec: { ...toWest.spec, audience: ['*'] } }],
    peers: new Map(Array.from({ length: 20 }, (_, i) => [`peer-${i}`, ['*']])),
  });
  const inputs = inputsOf(viewOf([here]), { policies: [...base, authorizationPolicies([policy('many', { rules })])] });
  const compiled = compileAuthz(here, inputs).rules;
  assert.equal(compiled.length, 10);
  assert.equal(authorize(compiled, caller('b7', 'shop', 'peer-19')).allowed, true);
});

test('explain names what decided: the denying rule, the ALLOW policies that did not match, or the mesh itself', () => {
  const authz = authzWith([
    policy('readers', { rules: [from({ principals: ['*/sa/web'] })] }),
    policy('admins', { rules: [from({ namespaces: ['ops'] })] }, 'isthmus-system'),
    policy('no-tests', { action: 'DENY', rules: [from({ namespaces: ['ops'] }), from({ namespaces: ['*-test'] })] }),
  ]);
  const told = (who: ReturnType<typeof caller>) => explainDecision(authz, who).text;
  assert.equal(told(caller('web')), 'allowed by "ns[shop]-policy[readers]-rule[0]"');
  assert.equal(told(caller('web', 'a-test')), 'denied by "ns[shop]-policy[no-tests]-rule[1]"');
  assert.equal(
    told(caller('api')),
    'no rule of the ALLOW policies that select it (isthmus-system/admins, shop/readers) matches mesh.test/ns/shop/sa/api of east',
  );
  assert.equal(told(caller('web', 'shop', 'west')), 'no rule allows mesh.test/ns/shop/sa/web of west');
  const gateway = explainDecision(authz, caller('gateway', 'isthmus-system'));
  assert.match(gateway.details[0] ?? '', /policies on their own identities cannot match/);
  assert.deepEqual(gateway.details.slice(1, 3), [
    'selected by AuthorizationPolicy DENY: shop/no-tests',
    'selected by AuthorizationPolicy ALLOW: isthmus-system/admins, shop/readers',
  ]);
});

test('a data plane refuses conditions in the wrong list, empty ones, and patterns that nobody evaluates', () => {
  const match: native.AuthzMatch = { principals: ['a'], namespaces: [], clusters: [], notPrincipals: [], notNamespaces: [] };
  const rule: native.AuthzRule = {
    action: 1,
    name: 'r',
    principals: [],
    namespaces: [],
    clusters: [],
    also: [match],
    condition: undefined,
  };
  const faults = (rules: native.AuthzRule[], guardedRules: native.AuthzRule[]) =>
    checkAuthz(native.Authz.fromPartial({ name: 'shop/orders', rules, guardedRules })).map((v) => v.path);
  assert.deepEqual(faults([{ ...rule, action: 2 }], [rule]), []);
  assert.deepEqual(faults([rule], [{ ...rule, also: [] }]), ['rules[0].also', 'guardedRules[0].also']);
  assert.deepEqual(faults([], [{ ...rule, action: 2 }]), ['guardedRules[0].action']);
  const wrong = { ...match, principals: ['*a*'], notPrincipals: ['a*b', '', '**'] };
  assert.deepEqual(
    faults([], [{ ...rule, also: [{ ...match, principals: [] }, wrong] }]),
    ['', '.principals[0]', '.notPrincipals[0]', '.notPrincipals[1]', '.notPrincipals[2]'].map(
      (end, i) => `guardedRules[0].also[${i === 0 ? 0 : 1}]${end}`,
    ),
  );
});
