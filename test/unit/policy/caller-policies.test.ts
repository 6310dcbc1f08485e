import assert from 'node:assert/strict';
import test from 'node:test';
import { emptyView, nextView } from '../../../control/catalog/build-view.ts';
import type { CatalogInput } from '../../../control/catalog/reducer.ts';
import { initialState, reduce } from '../../../control/catalog/reducer.ts';
import { authorize, callerPolicies } from '../../../control/policy/index.ts';
import type { ExportPolicyObject } from '../../../core/config/index.ts';
import { clusterId, serviceKey, sourceId } from '../../../core/model/index.ts';
import { endpoint, service } from '../../support/mesh-records.ts';

const east = clusterId('east');
const west = clusterId('west');
const orders = serviceKey('shop', 'orders');

/** Ours has no labels; west, which is older, says the same name is tier=front. */
function theView() {
  const scope = { claims: ['*'], identityNamespaces: ['*'] };
  const says = (cluster: typeof east, labels: Record<string, string>, createdAt: number): CatalogInput => {
    const record = service('shop/orders', [endpoint('a', { network: `${cluster}-net` })], { labels, createdAt });
    return { kind: 'event', cluster, source: sourceId('consul'), event: { kind: 'snapshot', services: [record], cursor: '' }, at: 0 };
  };
  const inputs: CatalogInput[] = [
    { kind: 'add-source', source: sourceId('consul'), scope, at: 0 },
    { kind: 'add-peer', cluster: west, scope },
    says(east, {}, 2),
    says(west, { tier: 'front' }, 1),
  ];
  let state = initialState(east);
  let view = emptyView(east);
  for (const input of inputs) {
    const next = reduce(state, input);
    state = next.state;
    view = nextView(view, state, next.services, next.gateways).view;
  }
  return view;
}

function rulesWith(spec: Partial<ExportPolicyObject['spec']> | undefined, namespaces: readonly string[] = ['*']) {
  const view = theView();
  const merged = view.services.get(orders);
  assert.ok(merged);
  const full = { services: ['*'], labels: {}, audience: ['west'], ...spec };
  const exports: ExportPolicyObject[] = spec === undefined ? [] : [{ kind: 'ExportPolicy', name: 'p', namespace: 'shop', spec: full }];
  const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports, peers: new Map([['west', namespaces]]) });
  return policies.reduce((draft, policy) => policy.apply(draft, merged, view), { service: orders, rules: [] } as Parameters<
    (typeof policies)[0]['apply']
  >[0]).rules;
}

const caller = (namespace: string, serviceAccount: string, cluster: string) => ({
  principal: `mesh.test/ns/${namespace}/sa/${serviceAccount}`,
  namespace,
  cluster,
});

test('identities of this cluster may call; those of a peer only what is exported to it', () => {
  assert.equal(authorize(rulesWith(undefined), caller('shop', 'web', 'east')).allowed, true);
  assert.equal(authorize(rulesWith(undefined), caller('shop', 'web', 'west')).allowed, false);
  assert.equal(authorize(rulesWith({}), caller('shop', 'web', 'west')).allowed, true);
  assert.equal(authorize(rulesWith({}), caller('shop', 'web', 'north')).allowed, false);
  assert.equal(authorize(rulesWith({ audience: ['north'] }), caller('shop', 'web', 'west')).allowed, false);
  assert.equal(authorize(rulesWith({ audience: ['*'] }), caller('shop', 'web', 'west')).allowed, true);
});

test('a peer presents only the namespaces of its Peer object, and its gateway whatever its cluster may', () => {
  const rules = rulesWith({}, ['shop']);
  assert.equal(authorize(rules, caller('shop', 'web', 'west')).allowed, true);
  assert.equal(authorize(rules, caller('bank', 'teller', 'west')).allowed, false);
  assert.equal(authorize(rules, caller('isthmus-system', 'gateway', 'west')).allowed, true);
  assert.equal(authorize(rules, caller('isthmus-system', 'control', 'west')).allowed, false);
});

test('labels that a peer puts on a name of ours do not open it to that peer', () => {
  assert.equal(theView().services.get(orders)?.labels['tier'], 'front');
  assert.equal(authorize(rulesWith({ labels: { tier: 'front' } }), caller('shop', 'web', 'west')).allowed, false);
});
