import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import test from 'node:test';
import type { EndpointRecord } from '../../core/model/index.ts';
import type { InboundClaim } from '../../core/xds/index.ts';
import { EnvoyMesh, refusedUpdates, startApp, untilListening } from '../support/envoy-mesh.ts';
import { sceneInputs } from '../support/envoy-scene.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { endpoint, service } from '../support/mesh-records.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { until } from '../support/until.ts';

const scene = (endpoints: readonly EndpointRecord[]) => ({ services: [service('shop/orders', endpoints)] });

const orders: InboundClaim = { namespace: 'shop', name: 'orders', port: 80, protocol: 'http', address: '127.0.0.1', target: 0 };
const inboundAt = (port: number, target: number) => ({
  inbound: { address: '127.0.0.1', port, services: [{ ...orders, target }] },
});

test('two real Envoys call each other by mTLS with what our control plane sends them', { timeout: 120_000 }, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const [first, second] = [await startApp(t, 'first'), await startApp(t, 'second')];
  const [inbound1, inbound2, outbound, byHost] = [await deadPort(), await deadPort(), await deadPort(), await deadPort()];
  const at = (instance: string, port: number) => endpoint(instance, { address: '127.0.0.1', ports: { http: port } });
  mesh.update(sceneInputs(pki, scene([at('one', inbound1)])));
  const server1 = await mesh.envoy('orders', { claims: inboundAt(inbound1, first.port) });
  const server2 = await mesh.envoy('orders', { claims: inboundAt(inbound2, second.port) });
  const client = await mesh.envoy('web', {
    claims: {
      outbound: [{ namespace: 'shop', name: 'orders', port: 80, address: '127.0.0.1', listen: outbound }],
      http: [{ address: '127.0.0.1', listen: byHost, services: [{ namespace: 'shop', name: 'orders', port: 80, hosts: [] }] }],
    },
  });
  await untilListening(server1, ['inbound']);
  await untilListening(server2, ['inbound']);
  await untilListening(client, [`outbound|127.0.0.1|${outbound}`, `http|127.0.0.1|${byHost}`]);

  const call = async () => {
    const reply = await fetch(`http://127.0.0.1:${outbound}/a?b=c`);
    return {
      status: reply.status,
      body: reply.ok ? ((await reply.json()) as { app: string; headers: Record<string, string> }) : await reply.text(),
    };
  };
  await until('a call', async () => (await call()).status === 200);
  const reply = await call();
  assert.ok(typeof reply.body === 'object');
  assert.equal(reply.body.app, 'first');
  assert.match(
    reply.body.headers['x-forwarded-client-cert'] ?? '',
    /URI=spiffe:\/\/mesh\.test\/ns\/shop\/sa\/web;DNS=east\.cluster\.mesh\.test$/,
  );

  mesh.update(sceneInputs(pki, scene([at('two', inbound2)])));
  await until('traffic moves to the endpoint that is left', async () => {
    const { body } = await call();
    return typeof body === 'object' && body.app === 'second';
  });
  for (const envoy of [server1, server2, client]) assert.equal(await refusedUpdates(envoy), 0);
});

/** Status, headers and body of one request; `host` as the caller says it. */
async function ask(port: number, options: { method?: string; host?: string; headers?: Readonly<Record<string, string>> } = {}) {
  const { method = 'GET', host = 'orders', headers = {} } = options;
  const sent = request({ host: '127.0.0.1', port, method, agent: false, headers: { host, ...headers } });
  sent.end(method === 'POST' ? 'x' : undefined);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const body = (await response.toArray()).join('');
  return { status: response.statusCode, headers: response.headers, body };
}

test('an ingress gateway routes by Host, and a request that no application has seen goes to the next endpoint', {
  timeout: 120_000,
}, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const app = await startApp(t, 'orders');
  const [inbound1, inbound2, dead, byHost] = [await deadPort(), await deadPort(), await deadPort(), await deadPort()];
  const at = (instance: string, port: number) => endpoint(instance, { address: '127.0.0.1', ports: { http: port } });
  mesh.update(sceneInputs(pki, scene([at('one', inbound1), at('two', inbound2)])));
  const broken = await mesh.envoy('orders', { claims: inboundAt(inbound1, dead) });
  const sound = await mesh.envoy('orders', { claims: inboundAt(inbound2, app.port) });
  const services = [{ namespace: 'shop', name: 'orders', port: 80, hosts: ['shop.example.com', '*.shop.example.com'] }];
  const ingress = await mesh.envoy('web', { kind: 'ingress', claims: { http: [{ address: '127.0.0.1', listen: byHost, services }] } });
  await untilListening(broken, ['inbound']);
  await untilListening(sound, ['inbound']);
  await untilListening(ingress, [`http|127.0.0.1|${byHost}`]);
  await until('the route', async () => (await ask(byHost, { host: 'shop.example.com' })).status === 200);

  for (const host of ['shop.example.com', 'EU.shop.example.com:8080', 'orders.shop.mesh.internal', 'orders.shop.svc.clusterset.local:80']) {
    assert.equal((await ask(byHost, { host })).status, 200, host);
  }
  assert.equal((await ask(byHost, { host: 'example.com' })).status, 404);
  for (let i = 0; i < 20; i += 1) {
    const { status, headers, body } = await ask(byHost, { method: 'POST', host: 'shop.example.com' });
    assert.equal(status, 200, body);
    assert.equal(headers['x-isthmus-local-origin'], undefined);
  }
  // What only the mesh may say is not taken from a caller.
  const headers = { 'x-forwarded-client-cert': 'By=me', 'x-request-id': 'mine' };
  const seen = JSON.parse((await ask(byHost, { host: 'shop.example.com', headers })).body) as { headers: Record<string, string> };
  assert.match(seen.headers['x-forwarded-client-cert'] ?? '', /^By=spiffe:\/\/mesh\.test\/ns\/shop\/sa\/orders;/);
  assert.equal(seen.headers['x-request-id'], 'mine');

  app.server.closeAllConnections();
  app.server.close();
  const gone = await until('nobody answers', async () => {
    const reply = await ask(byHost, { host: 'shop.example.com' });
    return reply.status === 503 ? reply : undefined;
  });
  assert.equal(gone.headers['x-isthmus-local-origin'], undefined);
  for (const envoy of [broken, sound, ingress]) assert.equal(await refusedUpdates(envoy), 0);
});
