import assert from 'node:assert/strict';
import test from 'node:test';
import { Listener } from '../../../core/xds/envoy/index.ts';
import { emptyState } from '../../../gateway/index.ts';
import { localOutbound } from '../../../sidecar-vm/proxy/local-listeners.ts';
import { readEnvoyMessage } from '../../support/envoy-messages.ts';
import { clusterName, httpRouting, match, routeTo, rule } from '../../support/traffic-scene.ts';

const listener = { address: '127.0.0.1', port: 80, clusterName: clusterName('reviews'), protocol: 'http' } as const;
const source = { namespace: 'shop', labels: { app: 'web' } };
const routing = httpRouting([
  rule('web', [match({ sourceLabels: { app: 'web' } })], routeTo({ [clusterName('reviews', 'v2')]: 1 })),
  rule('others', [match({ sourceNamespace: 'other' })], routeTo({ [clusterName('reviews', 'v3')]: 1 })),
  rule('rest', [], routeTo({ [clusterName('reviews')]: 1 })),
]);
const ports = [{ port: 80, name: 'http', protocol: 'http' as const, clusterName: clusterName('reviews'), routingName: '80|reviews' }];
const service = { kind: 'service' as const, name: 'reviews', namespace: 'shop', service: 'reviews', hosts: ['reviews'], ports };

function routesIn(state: Parameters<typeof localOutbound>[1]): string {
  const { value } = localOutbound(listener, state, source, 0);
  return JSON.stringify(readEnvoyMessage('type.googleapis.com/envoy.config.listener.v3.Listener', value));
}

test('an agent tells its own Envoy the rules of what is called here, as far as they are for this workload', () => {
  const listeners = new Map([['reviews', service]]);
  const told = routesIn({ ...emptyState, listeners, routings: new Map([['80|reviews', routing]]) });
  assert.match(told, /"name":"web".*outbound\|80\|v2\|/);
  assert.doesNotMatch(told, /outbound\|80\|v3\|/);
  assert.match(told, /envoy\.filters\.http\.fault/);
});

test('without rules, or before they have come, all goes to the service', () => {
  for (const state of [emptyState, { ...emptyState, listeners: new Map([['reviews', service]]) }]) {
    const told = routesIn(state);
    assert.match(told, /outbound\|80\|\|reviews/);
    assert.doesNotMatch(told, /v2|fault/);
    const again = localOutbound(listener, state, source, 1);
    assert.equal(Listener.decode(again.value).name, 'outbound|127.0.0.1|80');
  }
});
