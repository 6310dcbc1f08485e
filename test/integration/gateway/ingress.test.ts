import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import type { EchoReply } from '../../../cli/demo/echo-app.ts';
import { proxyHeader } from '../../../core/proxy-protocol.ts';
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

test('behind a load balancer that says who called, a caller is known by its own address, and whoever says nothing is refused', {
  timeout: 120_000,
}, async (t) => {
  const site = await IngressSite.start(t);
  await site.mesh.vm('web', 8080);
  await site.gateway({ acceptProxyFrom: ['127.0.0.0/8'] });
  const port = await deadPort();
  const http = { number: port, name: 'shop', protocol: 'HTTP' };
  await site.configure('ingress.yaml', gatewayObject('front', [{ port: http, hosts: ['shop.example.com'] }]), leading);
  const source = { address: '203.0.113.7', port: 40_000 };
  const header = proxyHeader('v2', { source, destination: { address: '198.51.100.1', port: 80 } });
  await until('an answer', async () => (await through(port, header)).startsWith('HTTP/1.1 200'));
  assert.equal(await through(port, Buffer.alloc(0)), 'refused');
  const entry = await until('its line', () => site.access.find((e) => e['response_code'] === 200));
  assert.equal(entry['downstream_remote_address'], '203.0.113.7:40000');
  assert.ok(site.access.some((e) => String(e['connection_termination_details']).startsWith('proxy-header-absent')));
});

/** What comes of a request behind this header. */
function through(port: number, header: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer === '' ? 'refused' : answer));
    socket.write(Buffer.concat([header, Buffer.from('GET /a HTTP/1.1\r\nhost: shop.example.com\r\nconnection: close\r\n\r\n')]));
  });
}
