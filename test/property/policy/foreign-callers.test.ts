import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { authorizationPolicies, authorize, type Caller, callerPolicies, type FederatedDomain } from '../../../control/policy/index.ts';
import { compileAuthz } from '../../../control/snapshot/build-service.ts';
import type { AuthorizationPolicyObject, ExportPolicyObject } from '../../../core/config/index.ts';
import { inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';

const labels = { app: 'orders' };
const orders = { ...serviceOf('orders', [{ instance: 'vm-1' }]), labels };
const exported: ExportPolicyObject = {
  kind: 'ExportPolicy',
  name: 'orders',
  namespace: 'shop',
  spec: { services: ['orders'], labels: {}, audience: ['*'] },
};
const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [exported], peers: new Map([['west', ['*']]]) });
const federated: readonly FederatedDomain[] = [
  { trustDomain: 'partner.example', namespaces: ['*'] },
  { trustDomain: 'elsewhere.example', namespaces: ['bank'] },
];

const patterns = fc.array(
  fc.constantFrom(
    '*',
    'mesh.test/*',
    'mesh.test/ns/shop/sa/web',
    '*/sa/web',
    '*web',
    'partner.example/*',
    'partner.example/ns/shop/sa/web',
    'partner.example/wo*',
    'partner*',
    'elsewhere.example/*',
    'never.example/*',
  ),
  { maxLength: 3 },
);
const names = (...of: string[]) => fc.array(fc.constantFrom(...of), { maxLength: 1 });
const source = fc.record({
  principals: patterns,
  notPrincipals: fc.oneof({ weight: 3, arbitrary: fc.constant<string[]>([]) }, patterns),
  namespaces: names('shop', '*'),
  notNamespaces: names('shop', '*', 'bank'),
  clusters: names('east', '*'),
});
const someone = fc.record({ from: fc.array(source, { minLength: 0, maxLength: 2 }) });
const policy = fc
  .record({
    namespace: fc.constantFrom('shop', 'isthmus-system', 'bank'),
    action: fc.constantFrom('ALLOW' as const, 'ALLOW' as const, 'DENY' as const),
    rules: fc.array(someone, { minLength: 1, maxLength: 2 }),
  })
  .map(({ namespace, ...spec }) => ({ namespace, spec: { selector: {}, ...spec } }));
const policies = fc
  .array(policy, { maxLength: 4 })
  .map((all) => all.map((each, i): AuthorizationPolicyObject => ({ kind: 'AuthorizationPolicy', name: `p${i}`, ...each }) as never));
const foreigner: fc.Arbitrary<Caller> = fc
  .constantFrom(
    'partner.example/ns/shop/sa/web',
    'partner.example/workload',
    'partner.example/sa/web',
    'elsewhere.example/ns/shop/sa/web',
    'never.example/ns/shop/sa/web',
  )
  .map((principal) => ({ principal, namespace: '', cluster: '', foreign: true }));

const rulesOf = (objects: readonly AuthorizationPolicyObject[], domains = federated) =>
  compileAuthz(orders, inputsOf(viewOf([orders]), { policies: [...base, authorizationPolicies(objects, domains)] })).rules;

/** The words of the documentation, in another form than the product's. */
function expected(objects: readonly AuthorizationPolicyObject[], { principal }: Caller): boolean {
  const hits = (texts: readonly string[]) =>
    texts.some((t) => new RegExp(`^${t.replaceAll('.', '[.]').replace('*', t === '*' ? '.+' : '.*')}$`).test(principal));
  const domain = principal.slice(0, principal.indexOf('/'));
  const here = objects.filter((o) => o.namespace === 'shop' || o.namespace === 'isthmus-system');
  const plain = (s: (typeof here)[number]['spec']['rules'][number]['from'][number]) =>
    s.namespaces.length + s.clusters.length === 0 && !hits(s.notPrincipals);
  const denied = here.some(
    (o) =>
      o.spec.action === 'DENY' &&
      o.spec.rules.some((r) => r.from.length === 0 || r.from.some((s) => plain(s) && (s.principals.length === 0 || hits(s.principals)))),
  );
  const named = here.some(
    (o) =>
      o.spec.action === 'ALLOW' &&
      o.spec.rules.some((r) => r.from.some((s) => plain(s) && hits(s.principals.filter((p) => p.startsWith(`${domain}/`))))),
  );
  return !denied && named && domain === 'partner.example';
}

test('an identity of another trust domain is let in by a principal that names its domain in full, and by nothing else', () => {
  let allowed = 0;
  fc.assert(
    fc.property(policies, foreigner, (objects, who) => {
      const decided = authorize(rulesOf(objects), who).allowed;
      allowed += decided ? 1 : 0;
      assert.equal(decided, expected(objects, who));
    }),
    { numRuns: 3_000 },
  );
  // Some 80 of these; below 50 once in 400 runs.
  assert.ok(allowed > 20, `${allowed} were allowed`);
});

test('whatever the policies, nobody of the mesh gains or loses anything by a federation', () => {
  const own: fc.Arbitrary<Caller> = fc
    .tuple(fc.constantFrom('shop', 'bank'), fc.constantFrom('web', 'ops'), fc.constantFrom('east', 'west', 'north'))
    .map(([namespace, account, cluster]) => ({ principal: `mesh.test/ns/${namespace}/sa/${account}`, namespace, cluster }));
  fc.assert(
    fc.property(policies, own, (objects, who) => {
      assert.equal(authorize(rulesOf(objects), who).allowed, authorize(rulesOf(objects, []), who).allowed);
    }),
    { numRuns: 1_000 },
  );
});

test('where nothing selects a service, and where nobody is federated, foreigners are let in nowhere', () => {
  const who = { principal: 'partner.example/workload', namespace: '', cluster: '', foreign: true } as const;
  assert.equal(authorize(rulesOf([]), who).allowed, false);
  assert.equal(authorize([{ action: 'allow', name: 'all', principals: [], namespaces: [], clusters: [] }], who).allowed, false);
  fc.assert(fc.property(policies, foreigner, (objects, each) => assert.equal(authorize(rulesOf(objects, []), each).allowed, false)));
});
