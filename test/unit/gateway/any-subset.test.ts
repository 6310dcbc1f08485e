import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatewaySubset, gatewaySubsetOf } from '../../../core/model/index.ts';
import { findSniRule } from '../../../gateway/engine/index.ts';
import { inboundRules } from '../../../gateway/inbound/rules.ts';
import { emptyState } from '../../../gateway/index.ts';

const host = 'orders.shop.mesh.internal';
const service = { namespace: 'shop', service: 'orders', hosts: [host], port: 80, protocol: 'http' as const, appPort: 8080 };
const sni = (subset: string, port = 80, of = host) => `outbound_.${port}_.${subset}_.${of}`;

test('an mTLS end answers for every subset that users make of its service, and for nothing that asks a gateway', () => {
  const { sni: rules } = inboundRules([service], emptyState, 'east');
  const whole = rules.get(sni(''));
  assert.ok(whole);
  assert.equal(findSniRule(rules, sni('')), whole);
  assert.equal(findSniRule(rules, sni('v1')), whole);
  for (const other of [sni(gatewaySubset), sni(gatewaySubsetOf('v1')), sni('v1', 81), sni('v1', 80, 'stock.shop.mesh.internal'), '', 'x'])
    assert.equal(findSniRule(rules, other), undefined, other);
});

test('a gateway leads to the subsets that it was told of, and to no other', () => {
  const rules = new Map([[sni(''), { mode: 'passthrough' as const, clusterName: 'local|80||x' }]]);
  assert.equal(findSniRule(rules, sni('v1')), undefined);
});

test('a side of a shift that a gateway has not heard of is the whole service, and once it knows either side it is not', () => {
  const route = (clusterName: string) => ({ mode: 'passthrough' as const, clusterName });
  const ends = new Map([
    [sni(''), route('whole')],
    [sni(gatewaySubset), route('ended')],
  ]);
  for (const side of ['isthmus-from', 'isthmus-to']) {
    assert.deepEqual(findSniRule(ends, sni(side)), ends.get(sni('')));
    assert.deepEqual(findSniRule(ends, sni(gatewaySubsetOf(side))), ends.get(sni(gatewaySubset)));
    assert.equal(findSniRule(ends, sni(side, 81)), undefined);
  }
  ends.set(sni('isthmus-from'), route('old'));
  assert.deepEqual(findSniRule(ends, sni('isthmus-from')), route('old'));
  assert.equal(findSniRule(ends, sni('isthmus-to')), undefined, 'none of the new side is here');
  assert.deepEqual(findSniRule(ends, sni(gatewaySubsetOf('isthmus-to'))), ends.get(sni(gatewaySubset)), 'ends are told apart');
});
