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
