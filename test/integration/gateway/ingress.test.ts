import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import type { EchoReply } from '../../../cli/demo/echo-app.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { ask, gatewayObject, IngressSite, virtualService } from './ingress-site.ts';

const toWeb = { destination: { host: 'web.shop.mesh.internal', port: { number: 8080 } } };
const leading = virtualService('web', { hosts: ['shop.example.com'], gateways: ['front'], http: [{ route: [toWeb] }] });

test('people outside the mesh reach a service by Host, and whatever they say of the mesh is not believed', {
  timeout: 120_000,
}, async (t) => {
  const site = await IngressSite.start(t);
  await site.mesh.vm('web', 8080);
  const gateway = await site.gateway();
  const [port, taken] = [await deadPort(), createServer()];
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => taken.close());
  const { port: busy } = taken.address() as { port: number };
  const http = (number: number, name: string) => ({ number, name, protocol: 'HTTP' });
  await site.configure(
    'ingress.yaml',
    gatewayObject('front', [
      { port: http(port, 'shop'), hosts: ['shop.example.com'] },
      { port: http(port, 'old'), hosts: ['old.example.com'], tls: { httpsRedirect: true } },
      { port: http(busy, 'busy'), hosts: ['*'] },
    ]),
    leading,
  );
  const forged = { 'x-forwarded-client-cert': 'URI=spiffe://mesh.test/ns/x/sa/forged' };
  const answer = await until('an answer', async () => {
    const got = await ask(port, 'shop.example.com', forged).catch(() => undefined);
    return got?.status === 200 ? got : undefined;
  });
  const reply = JSON.parse(answer.body) as EchoReply;
  assert.deepEqual([reply.app, reply.principal], ['web', 'spiffe://mesh.example.org/ns/isthmus-system/sa/ingress']);
  assert.equal((await ask(port, 'else.example.com')).status, 404);
  const moved = await ask(port, 'old.example.com');
  assert.deepEqual([moved.status, moved.headers['location']], [301, 'https://old.example.com/a?b=c']);
  const { ingress, kind, identity, listen } = gateway.status();
  assert.deepEqual([kind, listen, ingress?.open], ['ingress', undefined, [port]]);
  assert.equal(identity?.spiffeId, 'spiffe://mesh.example.org/ns/isthmus-system/sa/ingress');
  assert.deepEqual(
    ingress?.failed.map((each) => each.port),
    [busy],
  );
  assert.ok(site.access.some((e) => e['response_code'] === 200 && e['upstream_mesh_cluster'] === 'east'));
  assert.ok(site.access.some((e) => e['response_code'] === 404 && e['response_flags'] === 'NR'));
});
