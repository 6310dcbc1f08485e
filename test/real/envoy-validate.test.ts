import assert from 'node:assert/strict';
import test from 'node:test';
import { appCluster, Cluster, inboundListener, Listener } from '../../core/xds/envoy/index.ts';
import { envoyTypeUrls } from '../../core/xds/index.ts';
import { staticBootstrap } from '../support/envoy-bootstrap.ts';
import { envoyClients, envoyGoldenSet } from '../support/envoy-golden.ts';
import { envoyValidationSecrets } from '../support/envoy-secrets.ts';
import { trafficSets } from '../support/traffic-golden.ts';
import { validateEnvoyConfig } from './servers/index.ts';

test('real Envoy takes all that the golden files say it is sent', async () => {
  const sets = Object.entries(envoyClients).map(([kind, client]) => [kind, envoyGoldenSet(client)] as const);
  assert.deepEqual(await validateEnvoyConfig(staticBootstrap(sets, envoyValidationSecrets())), { accepted: true });
});

test('real Envoy takes every field of traffic rules', async () => {
  const sets = Object.entries(trafficSets).map(([name, set]) => [name, set()] as const);
  assert.deepEqual(await validateEnvoyConfig(staticBootstrap(sets, envoyValidationSecrets())), { accepted: true });
});

test('real Envoy takes a thousand principals and as many certificates that were taken back, before plain TCP and HTTP', async () => {
  const sets = (['tcp', 'http'] as const).map((protocol) => {
    const app = { address: '127.0.0.1', port: 1 };
    const principals = Array.from({ length: 1_000 }, (_, i) => `mesh.test/ns/shop/sa/service-account-${i}`);
    const rules = [{ name: 'many', action: 'allow' as const, principals, namespaces: [], clusters: ['east'] }];
    const deniedSerials = Array.from({ length: 1_000 }, (_, i) => (i + 0x1000).toString(16).padStart(32, '7'));
    const end = {
      serverNames: ['outbound_.80_._.many.shop.mesh.internal'],
      protocol,
      cluster: 'many',
      app,
      authorization: { trustDomain: 'mesh.test', rules, deniedSerials },
    };
    const listener = inboundListener('inbound', app, [end], protocol === 'http' ? 'any' : 'named');
    assert.ok(listener !== undefined);
    const resource = (name: string, value: Uint8Array) => new Map([[name, { name, version: '1', value }]]);
    const set = new Map([
      [envoyTypeUrls.listener, resource('inbound', Listener.encode(listener).finish())],
      [envoyTypeUrls.cluster, resource('many', Cluster.encode(appCluster('many', protocol, app.address, app.port)).finish())],
    ]);
    return [protocol, set] as const;
  });
  assert.deepEqual(await validateEnvoyConfig(staticBootstrap(sets, envoyValidationSecrets())), { accepted: true });
});
