import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorizationPolicies, callerPolicies } from '../../../control/policy/index.ts';
import { explain } from '../../../control/snapshot/index.ts';
import type { ExplainedRequest } from '../../../core/admin/index.ts';
import type { AuthzAttribute, AuthzCondition } from '../../../core/authz/index.ts';
import { gatewayOf, inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';
import { clusterOf, routingTo, trafficModel } from '../../support/traffic-sketch.ts';

const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
const orders = serviceOf('orders', [{ instance: 'vm-1' }]);
const bare = serviceOf('batch', [{ instance: 'b1', tlsMode: 'none' }]);
const far = serviceOf('payments', [{ instance: 'p1', cluster: 'west', network: 'b', tlsMode: 'none' }]);
const gateways = [gatewayOf('a', 'east', ['192.0.2.9']), gatewayOf('b', 'west', ['192.0.2.1'])];
const stages = (e: ReturnType<typeof explain>) => e.steps.map((s) => `${s.stage} ${s.outcome}`);

test('a pair that works is told step by step: name, service, endpoints, identity, network, gateway, rule', () => {
  const told = explain(inputsOf(viewOf([orders, far], gateways), { policies }), 'shop/orders', 'payments.shop.mesh.internal:8080');
  assert.equal(told.verdict, 'allowed');
  assert.deepEqual(stages(told), ['name ok', 'service ok', 'endpoints ok', 'identity ok', 'network ok', 'gateway ok', 'rule ok']);
  assert.match(told.steps[4]?.details.join() ?? '', /192\.0\.2\.1:15443/);
});

test('the first failed step is the reason: no gateway, no endpoint, no such service, wrong port', () => {
  const noGateway = explain(inputsOf(viewOf([orders, far]), { policies }), 'shop/orders', 'shop/payments');
  assert.deepEqual(
    [noGateway.verdict, noGateway.summary],
    ['unreachable', 'shop/orders does not reach shop/payments: no gateway leads to b'],
  );
  const down = serviceOf('payments', [{ instance: 'p1', health: 'unhealthy' }]);
  assert.match(explain(inputsOf(viewOf([orders, down]), { policies }), 'shop/orders', 'shop/payments').summary, /0 of 1 endpoints/);
  assert.equal(explain(inputsOf(viewOf([orders]), { policies }), 'shop/orders', 'shop/nobody').verdict, 'unknown');
  assert.match(
    explain(inputsOf(viewOf([orders, far], gateways), { policies }), 'shop/orders', 'payments.shop.mesh.internal:1').summary,
    /port 1 is none of 8080/,
  );
});

test('a caller without a sidecar needs a gateway port and an allowed source, and its principal is the gateway', () => {
  const view = viewOf([orders, bare], gateways);
  const told = (more: object) => explain(inputsOf(view, { policies, ...more }), 'shop/batch', 'shop/orders');
  assert.match(told({}).summary, /has no gateway port/);
  const port = { gatewayPorts: [{ service: orders.key, port: 8080, gatewayPort: 16_000 }] };
  assert.match(told(port).summary, /no source address may use gateway ports/);
  const works = told({ ...port, originateCidrs: ['10.0.0.0/8'] });
  assert.equal(works.verdict, 'allowed');
  assert.match(works.steps.find((s) => s.stage === 'identity')?.text ?? '', /isthmus-system\/sa\/gateway/);
});

test('a caller whom no rule allows is denied, with the rules that were looked at', () => {
  const told = explain(inputsOf(viewOf([orders]), { policies: [] }), 'vm-1', 'shop/orders');
  assert.deepEqual([told.verdict, told.steps.at(-1)?.outcome], ['denied', 'failed']);
});

test('traffic rules are told: what a port leads to, by which share, how many endpoints a subset has, and how near each priority is', () => {
  const eu = { region: 'eu', zone: 'a', subzone: '' };
  const web = serviceOf('web', [{ instance: 'w', locality: eu }]);
  const shop = serviceOf('shop', [
    { instance: 's1', address: '10.0.0.2', labels: { version: 'v1' }, locality: eu },
    { instance: 's2', address: '10.0.0.3', labels: { version: 'v2' }, locality: { ...eu, region: 'us' } },
  ]);
  const shares = { [clusterOf('shop/shop', 'v1')]: 99, [clusterOf('shop/shop', 'v2')]: 1 };
  const subsets = ['v1', 'v2', 'v3'].map((name) => ({ name, labels: { version: name } }));
  const traffic = trafficModel({ 'shop/shop': { routing: { 8080: routingTo(shares) }, subsets } });
  const told = explain(inputsOf(viewOf([web, shop]), { policies, traffic }), 'w', 'shop/shop');
  assert.deepEqual(told.steps.find((s) => s.stage === 'route')?.details, [
    `rule shop/split for *: all requests go to 99 % ${clusterOf('shop/shop', 'v1')}, 1 % ${clusterOf('shop/shop', 'v2')}`,
    'subset v1 of shop.shop.mesh.internal: 1 endpoint(s) take traffic',
    'subset v2 of shop.shop.mesh.internal: 1 endpoint(s) take traffic',
    'subset v3 of shop.shop.mesh.internal: 0 endpoint(s) take traffic',
  ]);
  const near = told.steps.find((s) => s.stage === 'gateway')?.details.slice(0, 3);
  assert.deepEqual(near, ['caller in eu/a', 'priority 0: eu/a', 'priority 1: us/a']);
});

test('of one request it is told which rule decides, and what would have to be otherwise', () => {
  const spec = (action: 'ALLOW' | 'DENY', when: AuthzCondition) => ({ selector: {}, action, rules: [{ from: [], when }] });
  const is = (attribute: AuthzAttribute, patterns: string[], names: string[] = []): AuthzCondition => ({
    kind: 'test',
    attribute,
    names,
    patterns,
  });
  const objects = [
    {
      kind: 'AuthorizationPolicy',
      name: 'readers',
      namespace: 'shop',
      spec: spec('ALLOW', { kind: 'all', of: [is('method', ['GET']), is('path', ['/api/*'])] }),
    },
    { kind: 'AuthorizationPolicy', name: 'no-tests', namespace: 'shop', spec: spec('DENY', is('header', ['test-*'], ['x-tenant'])) },
  ] as const;
  const inputs = inputsOf(viewOf([orders]), { policies: [...policies, authorizationPolicies(objects)] });
  const told = (request?: ExplainedRequest) => {
    const { verdict, steps } = explain(inputs, 'vm-1', 'shop/orders', request);
    return [verdict, steps.at(-1)?.text, steps.at(-1)?.details.filter((line) => /not match|change/.test(line))];
  };
  const [readers, noTests] = ['readers', 'no-tests'].map((name) => `ns[shop]-policy[${name}]-rule[0]`);
  assert.deepEqual(told({ path: '/api//x' }), ['allowed', `allowed by "${readers}"`, []]);
  assert.deepEqual(
    told({ method: 'POST', path: '/api/x' })
      .slice(0, 1)
      .concat(told({ method: 'POST', path: '/api/x' })[2] ?? ''),
    ['denied', `allow ${readers} does not match: method is not GET`],
  );
  assert.deepEqual(told({ path: '/api/x', headers: { 'x-tenant': 'test-1' } }), [
    'denied',
    `denied by "${noTests}"`,
    [`deny ${noTests} would have to change`],
  ]);
  const [verdict, text, missing] = told();
  assert.equal(verdict, 'allowed');
  assert.match(String(text), /^some requests are allowed: say --method/);
  assert.deepEqual(missing, [`allow ${readers} does not match: method is not known; path is not known`]);
});

test('a caller of another trust domain is explained by its SPIFFE id: whether anybody of it is believed, and which rule decides', () => {
  const others = [{ trustDomain: 'partner.test', roots: [Buffer.from('root')] }];
  const federated = [{ trustDomain: 'partner.test', namespaces: ['*'] }];
  const anyone = { principals: [], notPrincipals: [], namespaces: [], notNamespaces: [], clusters: [] };
  const letIn = (principal: string) =>
    authorizationPolicies(
      [
        {
          kind: 'AuthorizationPolicy',
          name: 'partners',
          namespace: 'shop',
          spec: { selector: {}, action: 'ALLOW', rules: [{ from: [{ ...anyone, principals: [principal] }] }] },
        },
      ],
      federated,
    );
  const told = (src: string, principal: string, known = others) => {
    const base = inputsOf(viewOf([orders]), { policies: [...policies, letIn(principal)] });
    return explain({ ...base, trust: { ...base.trust, others: known } }, src, 'shop/orders');
  };
  const teller = 'spiffe://partner.test/teller';
  const allowed = told(teller, 'partner.test/teller');
  assert.deepEqual(stages(allowed), ['name ok', 'service ok', 'endpoints ok', 'identity ok', 'rule ok']);
  assert.equal(allowed.verdict, 'allowed');
  assert.equal(told(teller, 'partner.test/other').verdict, 'denied');
  assert.equal(told(teller, '*').verdict, 'denied', 'everybody is everybody of the mesh');
  assert.match(told(teller, '*', []).summary, /no bundle of the trust domain partner\.test is known here/);
  assert.match(told('spiffe://mesh.test/ns/shop/sa/orders', '*').summary, /is of this mesh/);
  assert.match(told('spiffe://partner.test', '*').summary, /is no SPIFFE id of a workload/);
});

test('servers of another trust domain decide for themselves, and are nobody where their bundle is not known', () => {
  const foreign = { trustDomain: 'partner.test', uriSans: ['spiffe://partner.test/bank'], host: '' };
  const bank = serviceOf('bank', [{ instance: 'b', tlsMode: 'none' }]);
  const traffic = trafficModel({ 'shop/bank': { policy: { foreign } } });
  const base = inputsOf(viewOf([orders, bank]), { policies, traffic });
  const others = [{ trustDomain: 'partner.test', roots: [Buffer.from('root')] }];
  const known = explain({ ...base, trust: { ...base.trust, others } }, 'shop/orders', 'shop/bank');
  assert.equal(known.verdict, 'allowed');
  assert.match(
    known.steps.at(-1)?.text ?? '',
    /decided by partner\.test, to which the caller is spiffe:\/\/mesh\.test\/ns\/shop\/sa\/orders/,
  );
  assert.ok(known.steps.some(({ details }) => details.some((line) => /mTLS as spiffe:\/\/partner\.test\/bank of trust domain/.test(line))));
  const unknown = explain(base, 'shop/orders', 'shop/bank');
  assert.equal(unknown.verdict, 'unreachable');
  assert.match(unknown.summary, /no bundle of the trust domain partner\.test is known here/);
});
