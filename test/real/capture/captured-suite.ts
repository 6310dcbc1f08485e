import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { clusterName } from '../../contract/engine/harness.ts';
import { helloMessage, inRecords } from '../../support/client-hello-bytes.ts';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { assertWhole, broken, CapturedScene, engineOf, orders, servicePort } from './captured-scene.ts';
import { capturePort, families, redirectCallers } from './redirecting-network.ts';

// Runs in a network namespace of its own. Argument: the engine.
const name = process.argv[2] ?? '';
const echo = (socket: Socket) => void socket.pipe(socket);

redirectCallers();

describe(`engine ${name}: what becomes of a connection that a packet filter led here`, () => {
  let scene: CapturedScene;
  afterEach(() => scene.close());

  const ways = [
    ['IPv4', { family: families.ipv4 }],
    ['IPv6', { family: families.ipv6 }],
    ['IPv4 at a listener of both families', { family: families.ipv4, address: '::' }],
  ] as const;
  for (const [way, where] of ways) {
    const { server, caller: from, closed, loopback } = where.family;

    test(`${way}: a destination that is known is served by its rule, and one that is not goes on to where it was to go`, async () => {
      scene = await CapturedScene.open(engineOf(name), where);
      const { harness, begun } = scene;
      await scene.behind(echo);
      await scene.at(9_000, (socket) => void socket.end('itself'));
      scene.lead(orders, { 'outbound orders': {} });
      const sent = randomBytes(3_000_000);
      const caller = scene.call();
      const answer = readAll(caller);
      caller.end(sent);
      assertWhole(await answer, sent);
      const served = await scene.report(0);
      const { listener, outcome, reason, upstream } = served;
      assert.deepEqual([listener, served.clusterName, outcome, reason], ['outbound orders', clusterName, 'forward', '']);
      assert.deepEqual([served.source.address, served.destination], [from, { address: server, port: servicePort }]);
      assert.deepEqual([served.bytesReceived, served.bytesSent, upstream?.address], [sent.length, sent.length, '127.0.0.1']);
      const results = () => harness.attempts.map(({ result }) => result);
      assert.deepEqual(results(), ['ok']);

      const past = scene.call(9_000);
      past.end();
      assert.equal((await readAll(past)).toString(), 'itself');
      const passed = await scene.report(1);
      assert.deepEqual([passed.listener, passed.clusterName, passed.outcome], ['capture', 'PassthroughCluster', 'forward']);
      assert.deepEqual([passed.reason, passed.flags, passed.attempts, passed.upstream], ['', [], 1, undefined]);
      assert.deepEqual([passed.source.address, passed.destination], [from, { address: server, port: 9_000 }]);
      assert.deepEqual([passed.bytesReceived, passed.bytesSent], [0, 6]);
      assert.deepEqual(results(), ['ok'], 'nobody is told how a stranger did');
      await until('both beginnings', () => begun.length === 2);
      assert.deepEqual(
        begun.map((each) => each.clusterName),
        [clusterName, 'PassthroughCluster'],
      );
      assert.ok(harness.engine.latencies().every(({ of }) => of !== 'PassthroughCluster'));
      harness.assertCarried();
    });

    test(`${way}: who dialled the listener itself is refused, and so is whoever goes where only the mesh has anybody`, async () => {
      scene = await CapturedScene.open(engineOf(name), where);
      assert.ok(await broken(scene.call()));
      const before = await scene.report(0);
      assert.deepEqual([before.reason, before.detail], ['no-route', `nothing of the mesh is at ${server}:${servicePort}`]);
      scene.lead({ [servicePort]: 'gone' });

      assert.ok(await broken(scene.harness.sockets.track(connect({ port: capturePort, host: loopback }))));
      const itself = await scene.report(1);
      assert.deepEqual([itself.reason, itself.flags, itself.listener], ['not-captured', ['NR'], 'capture']);
      assert.equal(itself.detail, 'it was dialled as it is: no packet filter led it here');
      assert.deepEqual(itself.destination, { address: loopback, port: capturePort });

      assert.ok(await broken(scene.call(80, closed)));
      const nowhere = await scene.report(2);
      assert.deepEqual([nowhere.reason, nowhere.flags, nowhere.outcome], ['no-route', ['NR'], 'refused']);
      assert.equal(nowhere.detail, `nothing of the mesh is at ${closed}:80`);
      assert.deepEqual(nowhere.destination, { address: closed, port: 80 });

      assert.ok(await broken(scene.call()));
      const ruleless = await scene.report(3);
      assert.deepEqual([ruleless.reason, ruleless.listener, ruleless.detail], ['no-route', 'gone', 'listener gone leads nowhere yet']);
      scene.harness.assertCarried();
    });
  }

  test('requests are handed over, and delivered by the rule of where they were to go', async () => {
    scene = await CapturedScene.open(engineOf(name));
    const { harness, family } = scene;
    scene.lead(orders, { 'outbound orders': { protocol: 'http' } });
    const caller = scene.call();
    caller.write('GET / HTTP/1.1\r\n\r\n');
    const { socket, listener, protocol, source, destination } = await until('the delivery', () => harness.delivered[0]);
    assert.deepEqual([listener, protocol, source.address], ['outbound orders', 'http', family.caller]);
    assert.deepEqual(destination, { address: family.server, port: servicePort });
    const heard = once(socket, 'data') as Promise<[Buffer]>;
    socket.resume();
    assert.equal((await heard)[0].toString(), 'GET / HTTP/1.1\r\n\r\n');
    socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    assert.equal((await readAll(caller)).toString(), 'HTTP/1.1 204 No Content\r\n\r\n');
    caller.end();
    const report = await scene.report(0);
    assert.deepEqual([report.outcome, report.listener, report.reason], ['deliver', 'outbound orders', '']);
    await until('nothing to be left open', () => harness.engine.counters().open === 0);
    assert.equal(harness.engine.counters().accepted, 1);
  });

  test('rules of byte streams see the address that was dialled, and the name that the caller says', async () => {
    scene = await CapturedScene.open(engineOf(name));
    await scene.behind(echo);
    const to = (cluster: string) => [{ destination: { cluster }, weight: 1 }];
    const match = (sni: string, subnet: string) => ({ sniHosts: [sni], destinationSubnets: [subnet], sourceLabels: {} });
    const l4 = [
      { name: 'elsewhere', matches: [match('*', '127.0.0.0/8')], destinations: to('none') },
      { name: 'here', matches: [match('orders.example', '198.18.0.0/16')], destinations: to(clusterName) },
    ];
    scene.harness.apply({ routings: new Map([['r', { virtualHosts: [], l4 }]]) });
    scene.lead(orders, { 'outbound orders': { protocol: 'tls', routingName: 'r' } });
    const hello = inRecords(helloMessage({ names: ['orders.example'] }));
    const caller = scene.call();
    caller.end(hello);
    assertWhole(await readAll(caller), hello);
    const report = await scene.report(0);
    assert.deepEqual([report.listener, report.sni, report.reason], ['outbound orders', 'orders.example', '']);
    assert.ok(await broken(scene.call().end(inRecords(helloMessage({ names: ['stock.example'] })))));
    const none = await scene.report(1);
    assert.deepEqual([none.reason, none.detail, none.listener], ['no-route', 'no rule of r takes it', 'outbound orders']);
    scene.harness.assertCarried();
  });

  test('rules that change hold for the next connection, and those that run stay', async () => {
    scene = await CapturedScene.open(engineOf(name));
    const { harness } = scene;
    await scene.behind(echo);
    await scene.at(servicePort, (socket) => void socket.end('itself'));
    const asked = async () => {
      const caller = scene.call();
      caller.end('echo');
      return (await readAll(caller)).toString();
    };
    scene.lead(orders, { 'outbound orders': {} });
    assert.equal(await asked(), 'echo');
    const running = scene.call();
    running.write('one');
    await once(running, 'data');
    scene.lead({});
    assert.equal(await asked(), 'itself');
    scene.lead({ [servicePort]: 'another' }, { another: {} });
    assert.equal(await asked(), 'echo');
    harness.apply({ captured: new Map() });
    assert.ok(await broken(scene.call()));
    running.end('two');
    assert.equal((await readAll(running)).toString(), 'two');
    await scene.report(4);
    assert.deepEqual(
      harness.reports.map(({ listener, reason }) => `${listener} ${reason}`.trim()),
      ['outbound orders', 'capture', 'another', 'capture no-route', 'outbound orders'],
    );
    harness.assertCarried();
  });

  test('each of thousands counts for the rule by which it went, or as one that was passed on', async () => {
    scene = await CapturedScene.open(engineOf(name));
    const { harness } = scene;
    await scene.behind((socket) => void socket.resume().end('behind'));
    await scene.at(9_000, (socket) => void socket.resume().end('itself'));
    scene.lead({ [servicePort]: 'one', 8081: 'two' }, { one: {}, two: {} });
    const ports = [servicePort, 8_081, 9_000];
    const each = 600;
    for (let i = 0; i < each; i += 50) {
      const callers = ports.flatMap((port) => Array.from({ length: 50 }, () => scene.call(port)));
      await Promise.all(callers.map((caller) => readAll(caller.end())));
    }
    const count = (listener: string) => harness.reports.reduce((sum, one) => sum + (one.listener === listener ? (one.count ?? 1) : 0), 0);
    await until('all of them', () => count('one') + count('two') + count('capture') === 3 * each);
    assert.deepEqual(['one', 'two', 'capture'].map(count), [each, each, each]);
    assert.ok(
      harness.reports.every(({ reason, clusterName: to, listener }) => reason === '' && (to === clusterName) === (listener !== 'capture')),
    );
  });
});
