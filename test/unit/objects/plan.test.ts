import assert from 'node:assert/strict';
import test from 'node:test';
import { planText } from '../../../cli/text/plan-text.ts';
import { parserFor } from '../../../control/assemble/objects.ts';
import { type ClientFacts, makePlan, type ObjectView, type OwnedObject, type TrafficSeen } from '../../../control/objects/index.ts';
import { authorizationPolicies, callerPolicies, type PlaintextCall } from '../../../control/policy/index.ts';
import type { AuthorizationPolicyObject } from '../../../core/config/index.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';
import { inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';

const cart = serviceOf('cart', [
  { instance: 'c1', address: '10.0.0.1', serviceAccount: 'cart', labels: { version: 'v1' } },
  { instance: 'c2', address: '10.0.0.2', serviceAccount: 'cart', labels: { version: 'v2' } },
]);
const web = serviceOf('web', [{ instance: 'w1', address: '10.0.0.3', serviceAccount: 'web' }]);
const view = viewOf([cart, web]);
const hostOf = `cart.${cart.namespace}.mesh.internal`;

function objects(yaml: string): ObjectView {
  const all = parseDocuments('test', yaml).documents.map((document): [string, OwnedObject] => {
    const checked = parserFor('mesh.test')(document);
    assert.ok(checked.ok, JSON.stringify(checked));
    const { kind, namespace, name } = checked.value;
    const ref = { group: '', kind, namespace, name };
    const owner = { cluster: 'east', source: 'api' };
    return [`${kind}/${name}`, { ref, owner, createdAt: 1, document: {}, object: checked.value }];
  });
  return { revision: 1, objects: new Map(all), conflicts: [], refused: [] };
}

function policiesOf({ objects: all }: ObjectView) {
  const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
  const found = [...all.values()].map((o) => o.object).filter((o): o is AuthorizationPolicyObject => o.kind === 'AuthorizationPolicy');
  return [...base, authorizationPolicies(found)];
}

const agent: ClientFacts = {
  id: 'spiffe://mesh.test/ns/shop/sa/web#w1',
  kind: 'agent',
  identity: 'spiffe://mesh.test/ns/shop/sa/web',
  cluster: 'east',
  network: 'a',
  locality: '',
  labels: {},
};

function plan(
  now: string,
  then: string,
  more: { clients?: ClientFacts[]; flows?: ReturnType<TrafficSeen['flows']>; plaintext?: PlaintextCall[] } = {},
) {
  const inputs = inputsOf(view);
  return makePlan(
    {
      inputs,
      now: objects(now),
      then: objects(then),
      policiesOf,
      clients: more.clients ?? [agent],
      network: 'a',
      peers: ['west', 'north'],
      flows: more.flows,
      plaintext: more.plaintext ?? [],
    },
    [],
  );
}

const subsets = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: cart, namespace: ${cart.namespace} }
spec:
  host: cart
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
`;
const split = (v1: number, more = '') => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: cart, namespace: ${cart.namespace} }
spec:
  hosts: [cart]
  http:
    - route:
        - { destination: { host: cart, subset: v1 }, weight: ${v1} }
        - { destination: { host: cart, subset: v2 }, weight: ${100 - v1} }
${more}`;
const deny = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: nobody, namespace: ${cart.namespace} }
spec: { action: DENY, rules: [{ from: [{ source: { namespaces: ["*"] } }] }] }
`;

test('a weight that moves is one line of one route, for the clients that may call, and nothing else', () => {
  const found = plan(`${subsets}---${split(90)}`, `${subsets}---${split(50)}`);
  assert.deepEqual(
    found.services.map((s) => s.name),
    [cart.key],
  );
  const [service] = found.services;
  const lines = service?.routes[0]?.lines.filter((l) => !l.startsWith('  ')) ?? [];
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', new RegExp(`^- .*90 % outbound\\|8080\\|v1\\|${hostOf} \\+ 10 % `));
  assert.match(lines[1] ?? '', /^\+ .*50 % .* \+ 50 % /);
  assert.deepEqual([service?.endpoints, service?.callers, service?.policies], [[], [], []]);
  assert.deepEqual(
    found.clients.map((c) => [c.id, c.services]),
    [[agent.id, [cart.key]]],
  );
  assert.deepEqual(plan(split(90), split(90)).services, []);
});

test('subsets bring xDS clusters with their endpoints; a reference to none is an error that was not there', () => {
  const found = plan('', subsets);
  const gained = found.services.flatMap((s) => s.endpoints.map((e) => [e.xdsCluster, e.gained.length, e.lost.length]));
  assert.deepEqual(gained, [
    [`outbound|8080|v1|${hostOf}`, 1, 0],
    [`outbound|8080|v2|${hostOf}`, 1, 0],
  ]);
  const dangling = plan('', split(90));
  assert.ok(
    dangling.findings.some((f) => f.object === `VirtualService ${cart.namespace}/cart`),
    JSON.stringify(dangling.findings),
  );
  const known = plan(split(90), split(80));
  assert.deepEqual(known.findings, [], 'what is wrong already is not told as new');
  assert.ok(plan(split(90), `${subsets}---${split(90)}`).resolved.length > 0);
});

test('who may call what: gained and lost, and what was seen in the last hour and would be cut off', () => {
  const source = { principal: 'mesh.test/ns/shop/sa/web', cluster: 'east' };
  const flows = [{ source, destination: cart.key, requests: 1200, lastAt: 0 }];
  const found = plan('', deny, { flows });
  const lost = found.services.find((s) => s.name === cart.key)?.callers ?? [];
  assert.ok(lost.some((c) => c.principal === source.principal && !c.allowed && c.because.includes('nobody')));
  const cut = found.findings.filter((f) => f.code === 'policy-cuts-traffic');
  assert.deepEqual(
    cut.map((f) => [f.severity, f.object]),
    [['error', `AuthorizationPolicy ${cart.namespace}/nobody`]],
  );
  assert.match(cut[0]?.message ?? '', /1200 times in the last hour/);
  assert.equal(found.trafficKnown, true);
  assert.ok(
    plan(deny, '', { flows })
      .services.find((s) => s.name === cart.key)
      ?.callers.every((c) => c.allowed),
  );
  assert.equal(plan('', deny).trafficKnown, false);
  assert.match(planText(plan('', deny)), /what policies would cut off was not looked at/);
});

test('clients that may not call a service do not hear of it, its own workloads do, and a gateway hears of all', () => {
  const stranger: ClientFacts = { ...agent, id: 'spiffe://mesh.test/ns/other/sa/x#1', identity: 'spiffe://mesh.test/ns/other/sa/x' };
  const gateway: ClientFacts = { ...agent, kind: 'gateway', id: 'gw#1' };
  const own: ClientFacts = { ...agent, id: 'own#1', identity: `spiffe://mesh.test/ns/${cart.namespace}/sa/cart` };
  const closed = `${deny}---${subsets}`;
  const found = plan(`${closed}---${split(90)}`, `${closed}---${split(50)}`, { clients: [stranger, agent, gateway, own] });
  assert.ok(!found.clients.some((c) => c.id === stranger.id));
  assert.equal(found.clientsConnected, 4);
});

test('objects of scope mesh are told to change clients of the peers too, those of one cluster are not', () => {
  const shared = plan(split(90), split(50));
  assert.deepEqual([shared.meshObjects, shared.otherClusters], [1, ['north', 'west']]);
  assert.match(planText(shared), /^1 object of scope mesh also changes clients of north, west: not looked at/m);
  const own = (yaml: string) => yaml.replace('{ name: cart,', '{ name: cart, annotations: { isthmus.dev/scope: cluster },');
  const here = plan(own(split(90)), own(split(50)));
  assert.deepEqual([here.meshObjects, here.otherClusters], [0, []]);
  assert.doesNotMatch(planText(here), /not looked at\. Findings/);
  assert.equal(plan(split(90), own(split(90))).meshObjects, 1, 'what leaves the mesh leaves it for peers');
});

test('a Sidecar: who would no longer see what, and what they called in the last hour', () => {
  const narrow = (host: string) => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: ${cart.namespace} }
spec: { egress: [{ hosts: ['${host}'] }] }
`;
  const flow = {
    source: { principal: 'mesh.test/ns/shop/sa/web', cluster: 'east' },
    destination: cart.key,
    requests: 7,
    lastAt: Date.UTC(2026, 0, 1),
  };
  const hidden = plan('', narrow('./web'), { flows: [flow] });
  assert.deepEqual(hidden.clients, [{ id: agent.id, kind: 'agent', network: 'a', services: [cart.key], seen: [], hidden: [cart.key] }]);
  assert.deepEqual(
    hidden.findings.map((f) => [f.severity, f.code, f.object]),
    [['error', 'sidecar-cuts-traffic', 'Sidecar shop/default']],
  );
  assert.match(planText(hidden), /^ {4}- sees shop\/cart$/m);
  const back = plan(narrow('./web'), narrow('./*'), { flows: [flow] });
  assert.deepEqual(
    back.clients.map((c) => [c.seen, c.hidden]),
    [[[cart.key], []]],
  );
  assert.deepEqual(back.findings, []);
  const elsewhere = { ...agent, id: 'x', identity: 'spiffe://mesh.test/ns/bank/sa/b' };
  assert.deepEqual(plan('', narrow('./web'), { clients: [elsewhere] }).clients, []);
  const changed = plan(narrow('./web'), `${narrow('./web')}---${subsets}`);
  assert.deepEqual(changed.clients, [], 'what is hidden changes for nobody whom it is hidden from');
});

test("a DestinationRule of the callers' namespace is theirs alone, and is named", () => {
  const theirs = (namespace: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: limits, namespace: ${namespace} }
spec: { host: ${hostOf}, trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } } }
`;
  const other: ClientFacts = { ...agent, id: 'spiffe://mesh.test/ns/bank/sa/b#b1', identity: 'spiffe://mesh.test/ns/bank/sa/b' };
  const said = plan('', theirs('bank'), { clients: [agent, other] });
  assert.deepEqual(
    said.clients.map((c) => c.id),
    [other.id],
  );
  const [service] = said.services;
  assert.deepEqual(
    service?.policies.map((p) => p.name),
    ['callers of bank, DestinationRule', 'callers of bank, port 8080'],
  );
  assert.deepEqual(service?.policies[0]?.lines, ['+ bank/limits']);
  assert.match(planText(said), /callers of bank, DestinationRule[\s\S]*\+ bank\/limits/);
  const gone = plan(theirs('bank'), '', { clients: [agent, other] });
  assert.deepEqual(
    gone.clients.map((c) => c.id),
    [other.id],
  );
});

test('what changes in an answer, a redirect, retries or a fault is a line of its own', () => {
  const http = (rule: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: cart, namespace: ${cart.namespace} }
spec: { hosts: [cart], http: [{ ${rule} }] }
`;
  const to = 'route: [{ destination: { host: cart } }]';
  const from = 'match: [{ uri: { prefix: /a } }]';
  const cases: readonly (readonly [before: string, after: string, says: RegExp])[] = [
    ['directResponse: { status: 200, body: { string: ok } }', 'directResponse: { status: 200, body: { string: closed } }', /with "closed"/],
    [`${from}, redirect: { uri: /b }`, `${from}, redirect: { prefixRewrite: /b }`, /redirect 301 prefix path \/b/],
    [`${to}, retries: { attempts: 3, retryOn: "503" }`, `${to}, retries: { attempts: 3, retryOn: "429" }`, /status 429/],
    [
      `${to}, retries: { attempts: 3, retryOn: 5xx }`,
      `${to}, retries: { attempts: 3, retryOn: 5xx, backoff: 9s, retryRemoteLocalities: true, retryIgnorePreviousHosts: false }`,
      /after 9000 ms, in other localities, of the same endpoints too/,
    ],
    [
      `${to}, fault: { abort: { grpcStatus: UNAVAILABLE, percentage: { value: 100 } } }`,
      `${to}, fault: { abort: { grpcStatus: PERMISSION_DENIED, percentage: { value: 100 } } }`,
      /gRPC status 7/,
    ],
  ];
  for (const [before, after, says] of cases) {
    const lines = plan(http(before), http(after)).services.flatMap((s) => s.routes.flatMap((r) => r.lines));
    assert.match(lines.filter((line) => line.startsWith('+ ')).join('\n'), says, after);
  }
});
