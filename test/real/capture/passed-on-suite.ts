import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { clusterName, clusterTable, endpoint } from '../../contract/engine/harness.ts';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { assertWhole, broken, CapturedScene, engineOf, orders } from './captured-scene.ts';
import { families, redirectCallers } from './redirecting-network.ts';

// Runs in a network namespace of its own. Argument: the engine.
const name = process.argv[2] ?? '';

redirectCallers();

describe(`engine ${name}: connections that go on to where they were to go`, () => {
  let scene: CapturedScene;
  afterEach(() => scene.close());

  test('each side may end first, and the other is heard to its end', async () => {
    scene = await CapturedScene.open(engineOf(name));
    scene.lead({});
    const large = randomBytes(5_000_000);
    await scene.at(9_000, async (socket) => void socket.end(Buffer.concat([await readAll(socket), large])));
    const first = scene.call(9_000);
    first.end('asked');
    assertWhole(await readAll(first), Buffer.concat([Buffer.from('asked'), large]));

    let heard: Promise<Buffer> | undefined;
    await scene.at(9_001, (socket) => {
      heard = readAll(socket);
      socket.end('banner');
    });
    const second = scene.call(9_001);
    assert.equal((await readAll(second)).toString(), 'banner');
    second.end(large);
    assertWhole(await until('the server', () => heard), large);
    const [one, two] = [await scene.report(0), await scene.report(1)];
    assert.deepEqual([one.bytesReceived, one.bytesSent, one.reason], [5, 5 + large.length, '']);
    assert.deepEqual([two.bytesReceived, two.bytesSent, two.reason], [large.length, 6, '']);
    scene.harness.assertCarried();
  });

  test('programs of this machine have one address together: its share limits none of them', async () => {
    scene = await CapturedScene.open(engineOf(name), { limits: { maxConnectionsPerSource: 2, maxConnections: 5 } });
    scene.lead({});
    await scene.at(9_000, (socket) => void socket.end('hello'));
    const callers = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const caller = scene.call(9_000);
        await once(caller, 'data');
        return caller;
      }),
    );
    assert.ok(await broken(scene.call(9_000)), 'as many as there may be in all');
    assert.equal((await scene.report(0)).reason, 'too-many-connections');
    assert.ok(callers.every(({ destroyed }) => !destroyed));
  });

  test('a break of either side is one for the other', async () => {
    scene = await CapturedScene.open(engineOf(name));
    scene.lead({});
    const accepted: Socket[] = [];
    await scene.at(9_000, (socket) => {
      accepted.push(socket.resume());
      socket.write('hello');
    });
    const heard = async () => {
      const caller = scene.call(9_000);
      await once(caller, 'data');
      return { caller, server: await until('the server', () => accepted.pop()) };
    };
    const up = await heard();
    const callerBroke = broken(up.caller);
    up.server.resetAndDestroy();
    assert.ok(await callerBroke);
    const upstream = await scene.report(0);
    assert.deepEqual([upstream.reason, upstream.flags, upstream.outcome], ['upstream-reset', ['UC'], 'forward']);

    const down = await heard();
    const serverBroke = broken(down.server);
    down.caller.resetAndDestroy();
    assert.ok(await serverBroke);
    const downstream = await scene.report(1);
    assert.deepEqual([downstream.reason, downstream.flags, downstream.outcome], ['downstream-reset', ['DC'], 'forward']);
    assert.deepEqual(scene.harness.attempts, []);
    scene.harness.assertCarried();
  });

  for (const family of [families.ipv4, families.ipv6]) {
    test(`where nobody listens: ${family.server} refuses once, and so does the engine`, async () => {
      scene = await CapturedScene.open(engineOf(name), { family });
      scene.lead({});
      assert.ok(await broken(scene.call(9_999)));
      const report = await scene.report(0);
      assert.deepEqual([report.reason, report.flags, report.outcome, report.attempts], ['upstream-connect', ['UF'], 'refused', 1]);
      assert.equal(report.clusterName, 'PassthroughCluster');
      assert.match(report.detail, /^connect ECONNREFUSED .*9999$/);
      assert.deepEqual([scene.harness.attempts, scene.begun], [[], []]);
      scene.harness.assertCarried();
    });
  }

  test('neither silence nor half an end is limited, where what goes by a rule is', async () => {
    scene = await CapturedScene.open(engineOf(name), { limits: { idleTimeoutMs: 300, halfCloseTimeoutMs: 300 } });
    await scene.behind((socket) => void socket.resume());
    scene.lead(orders, { 'outbound orders': {} });
    const accepted: Socket[] = [];
    await scene.at(9_000, (socket) => void accepted.push(socket.resume()));
    const [silent, half] = [scene.call(9_000), scene.call(9_000)];
    half.end();
    await until('half an end', () => accepted.length === 2 && accepted.some(({ readableEnded }) => readableEnded));
    // Each begins after both, so that its time is up after theirs would be.
    for (const place of [0, 1]) {
      scene.call().resume();
      const { reason, listener } = await scene.report(place);
      assert.deepEqual([reason, listener], ['idle-timeout', 'outbound orders']);
    }
    const answers = Promise.all([silent, half].map(readAll));
    for (const socket of accepted) socket.end('still here');
    silent.end();
    assert.deepEqual((await answers).map(String), ['still here', 'still here']);
    assert.deepEqual([(await scene.report(2)).reason, (await scene.report(3)).reason], ['', '']);
  });

  test('where a machine has vanished, those that went there by a rule are given up alone', async () => {
    scene = await CapturedScene.open(engineOf(name));
    const { harness, family } = scene;
    const there = endpoint(9_000, { address: family.server });
    harness.apply({ clusters: new Map([[clusterName, clusterTable(clusterName, [there])]]) });
    scene.lead(orders, { 'outbound orders': {} });
    await scene.at(9_000, (socket) => {
      socket.write('hello');
      socket.pipe(socket);
    });
    const [ruled, passed] = [scene.call(), scene.call(9_000)];
    await Promise.all([once(ruled, 'data'), once(passed, 'data')]);
    const cut = broken(ruled);
    // What each engine's watch for silence is told of, and what it does.
    if (harness.engine.giveUp === undefined) {
      assert.equal(scene.dialled.length, 1);
      scene.dialled[0]?.resetAndDestroy();
    } else {
      assert.deepEqual(
        harness.engine.places?.().map((place) => place.endpoint),
        [there],
      );
      harness.engine.giveUp(there);
    }
    assert.ok(await cut);
    assert.equal((await scene.report(0)).listener, 'outbound orders');
    const answer = readAll(passed);
    passed.end('still here');
    assert.equal((await answer).toString(), 'still here');
    const { listener, reason } = await scene.report(1);
    assert.deepEqual([listener, reason], ['capture', '']);
  });

  test('who never answers is waited for, until whoever asked has had enough, or the engine has', async () => {
    execFileSync('nft', [
      'add table inet hole; add chain inet hole in { type filter hook input priority 0; }; add rule inet hole in tcp dport 9998 drop',
    ]);
    scene = await CapturedScene.open(engineOf(name), { limits: { idleTimeoutMs: 100, handshakeTimeoutMs: 100, helloTimeoutMs: 100 } });
    const { harness } = scene;
    await scene.behind((socket) => void socket.resume());
    scene.lead(orders, { 'outbound orders': {} });
    const waiting = scene.call(9_998);
    await once(waiting, 'connect');
    scene.call().resume();
    assert.equal((await scene.report(0)).reason, 'idle-timeout');
    assert.equal(harness.engine.counters().open, 1);
    const ended = broken(waiting);
    await harness.engine.drain(0);
    assert.ok(await ended);
    const report = await scene.report(1);
    assert.deepEqual([report.reason, report.outcome, report.clusterName], ['drain-forced', 'refused', 'PassthroughCluster']);
    await until('nothing to be left open', () => harness.engine.counters().open === 0);
    assert.ok(!process.getActiveResourcesInfo().includes('TCPConnectWrap'), 'nobody is called any more');
  });
});
