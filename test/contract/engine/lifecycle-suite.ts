import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { mtlsClientOptions } from '../../../core/identity/index.ts';
import { until } from '../../support/until.ts';
import { clientHello } from './client-hello-bytes.ts';
import { allowAll, clusterName, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';

const plainRule = new Map([['plain', { clusterName, protocol: 'tcp' as const, allow: 'any' as const }]]);
const end = { namespace: 'shop', service: 'orders' };
const terminate = { mode: 'terminate' as const, clusterName, protocol: 'tcp' as const, authz: allowAll, end };

/** Listeners that come and go, tables that are wrong, drains and ends: what is accepted is served, and what is told is kept to. */
export function lifecycleSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: lifecycle`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    test('an endpoint whose address has a zone costs that endpoint, not every later change of the tables', async () => {
      harness = new EngineHarness(make);
      const { port } = await harness.sockets.serve((socket) => socket.end('hello'));
      assert.doesNotThrow(() => harness.endpoints(endpoint(port, { address: 'fe80::1%lo' })));
    });

    test('while memory is short new callers are refused, those that are served stay, and all are taken again when it is over', async () => {
      harness = new EngineHarness(make);
      const { port } = await harness.sockets.serve((socket) => socket.pipe(socket));
      harness.endpoints(endpoint(port));
      harness.apply({ plain: plainRule });
      const listening = await harness.listenPlain();
      const call = () => harness.sockets.track(connect({ port: listening, host: '127.0.0.1' }).on('error', () => {}));
      const echo = async (socket: Socket) => {
        socket.write('?');
        return (await once(socket, 'data'))[0].toString();
      };
      const served = call();
      assert.equal(await echo(served), '?');
      harness.engine.overload('1 MB are left');
      harness.engine.overload('0 MB are left');
      await new Promise((closed) => call().once('close', closed));
      const report = await until('the one that was refused', () => harness.reports[0]);
      assert.deepEqual([report.reason, report.flags, report.outcome], ['memory-short', ['OM'], 'refused']);
      assert.deepEqual(harness.troubles, [{ what: 'memory-short', detail: '0 MB are left' }]);
      assert.equal(await echo(served), '?');
      harness.engine.overload(undefined);
      assert.equal(await echo(call()), '?');
      assert.equal(harness.engine.counters().ended.get('memory-short'), 1);
    });

    test('where memory is about to end, streams whose readers stand still are broken off, and no others', async () => {
      harness = new EngineHarness(make);
      const [block, small] = [Buffer.alloc(65_536), Buffer.alloc(16_384)];
      const { port } = await harness.sockets.serve((socket) => {
        socket
          .on('error', () => {})
          .once('data', ([first]) => {
            const fill = () => {
              while (socket.writable && socket.write(block));
            };
            socket.write('.');
            if (first === 0x21) {
              socket.on('drain', fill);
              fill();
            }
            if (first !== 0x2b) return;
            const drip = setInterval(() => socket.write(small), 10);
            socket.once('close', () => clearInterval(drip));
          });
      });
      harness.endpoints(endpoint(port));
      harness.apply({ plain: plainRule });
      const listening = await harness.listenPlain();
      const call = async (first: string) => {
        const socket = harness.sockets.track(connect({ port: listening, host: '127.0.0.1' }).on('error', () => {}));
        socket.write(first);
        await once(socket, 'readable');
        return socket;
      };
      const [idle, busy, ...readers] = [await call('?'), await call('+'), await call('!'), await call('!')];
      // As fast as it comes, so that a machine that pauses leaves nothing standing for long.
      busy.resume();
      harness.engine.relieve(0);
      await until('one of them to be cut', () => {
        if (harness.reports.length === 0) harness.engine.relieve(1);
        return harness.reports.length > 0;
      });
      const [report] = harness.reports;
      assert.deepEqual([report?.reason, report?.flags, report?.outcome], ['memory-short', ['OM'], 'forward']);
      assert.match(report?.detail ?? '', /^\d+ bytes were kept for a reader that stands still/);
      await until('both to be cut', () => {
        harness.engine.relieve(2 ** 30);
        return harness.reports.length >= 2;
      });
      for (const reader of readers) await new Promise((closed) => reader.resume().once('close', closed));
      assert.deepEqual([idle.closed, busy.closed, harness.engine.counters().open], [false, false, 2]);
    });

    test('a change that was refused is told again', async () => {
      harness = new EngineHarness(make);
      const { port } = await harness.sockets.serve((socket) => socket.end('hello'));
      const good = { name: 'good', host: 'g', namespace: 'shop', service: 'g', connectTimeoutMs: 5_000, endpoints: [endpoint(port)] };
      const bad = { ...good, name: 'bad', endpoints: [endpoint(port, { address: 'fe80::1%lo' })] };
      harness.apply({ plain: new Map([['plain', { clusterName: 'good', protocol: 'tcp' as const, allow: 'any' as const }]]) });
      const listening = await harness.listenPlain();
      harness.apply({
        clusters: new Map([
          ['good', good],
          ['bad', bad],
        ]),
      });
      harness.apply({ clusters: new Map([['good', good]]) });
      const client = harness.sockets.track(connect({ port: listening, host: '127.0.0.1' }));
      client.resume().end();
      const report = await until('report', () => harness.reports[0]);
      assert.equal(report.reason, '');
    });

    test('how long handshakes, connects and connections took is counted, of those that came so far', async () => {
      harness = new EngineHarness(make);
      const { port } = await harness.sockets.serve((socket) => socket.end('hello'));
      harness.endpoints(endpoint(port));
      harness.apply({ sni: new Map([[sni, terminate]]) });
      const listening = await harness.listenSni();
      assert.deepEqual(harness.engine.latencies(), []);
      for (let i = 0; i < 3; i++) {
        const client = await harness.sockets.connectMtls(listening, harness.caller, harness.bundle, harness.target);
        client.resume().end();
      }
      // Who says nothing of TLS has shaken no hands, and reached nobody.
      harness.sockets.track(connect(listening, '127.0.0.1')).end('GET / HTTP/1.1\r\n\r\n');
      await until('the ends of all', () => harness.reports.length === 4);
      const seen = harness.engine.latencies().map(({ step, of, boundsMs, counts, sumMs }) => {
        assert.equal(counts.length, boundsMs.length + 1);
        const count = counts.reduce((a, b) => a + b, 0);
        assert.ok(sumMs >= 0 && sumMs < 60_000 && counts.at(-1) === 0, `${step}: ${sumMs} ms`);
        return `${step} ${of} ${count}`;
      });
      const expected = ['connect', 'connection'].map((step) => `${step} ${clusterName} 3`);
      assert.deepEqual(seen.sort(), [...expected, 'handshake east-west 3']);
    });

    test('closing a listener twice does not close the one that took its name', async () => {
      harness = new EngineHarness(make);
      const { port } = await harness.sockets.serve((socket) => socket.write('hello'));
      harness.endpoints(endpoint(port));
      harness.apply({ plain: plainRule });
      const first = await harness.engine.listen({ name: 'plain', address: '127.0.0.1', port: 0, kind: 'plain' });
      await first.close();
      const second = await harness.engine.listen({ name: 'plain', address: '127.0.0.1', port: 0, kind: 'plain' });
      await first.close();
      const socket = harness.sockets.track(connect(second.port, '127.0.0.1'));
      await once(socket, 'connect');
    });

    test('a port is free for another listener once close has resolved', async () => {
      harness = new EngineHarness(make);
      let listener = await harness.engine.listen({ name: 'p0', address: '127.0.0.1', port: 0, kind: 'plain' });
      const { port } = listener;
      for (let i = 1; i <= 50; i++) {
        await listener.close();
        listener = await harness.engine.listen({ name: `p${i}`, address: '127.0.0.1', port, kind: 'plain' });
      }
    });

    test('counters can be asked after dispose', async () => {
      harness = new EngineHarness(make);
      await harness.engine.dispose();
      assert.doesNotThrow(() => harness.engine.counters());
    });

    test('dispose ends a drain', async () => {
      harness = new EngineHarness(make);
      const { port } = await harness.sockets.serve((socket) => socket.write('hello'));
      harness.endpoints(endpoint(port));
      harness.apply({ plain: plainRule });
      const client = await harness.sockets.connect(await harness.listenPlain());
      await once(client, 'data');
      const drained = harness.engine.drain(5_000);
      const begun = performance.now();
      await harness.engine.dispose();
      await drained;
      assert.ok(performance.now() - begun < 2_000, `drain went on for ${performance.now() - begun} ms after dispose`);
    });

    test('drain waits for a connection whose hello comes late, and breaks it off at the deadline', async () => {
      harness = new EngineHarness(make);
      // Requests: whoever carries bytes, TypeScript has these.
      harness.apply({ sni: new Map([[sni, { ...terminate, protocol: 'http' as const }]]) });
      const client = await harness.sockets.connect(await harness.listenSni());
      await until('accepted', () => harness.engine.counters().open === 1);
      let closed = false;
      client.on('close', () => {
        closed = true;
      });
      const drained = harness.engine.drain(5_000).then(() => 'drained');
      const options = mtlsClientOptions(harness.caller, harness.bundle, harness.target, Date.now);
      const secure = harness.sockets.track(connectTls({ ...options, socket: client }));
      secure.on('error', () => {});
      const shaken = once(secure, 'secureConnect').then(() => 'shaken');
      assert.equal(await Promise.race([drained, shaken]), 'shaken');
      await until('its delivery', () => harness.delivered.length === 1);
      assert.equal(closed, false);
      await drained;
      await until('it to be broken off', () => closed);
    });

    test('a report of no-cluster names the cluster', async () => {
      harness = new EngineHarness(make);
      harness.apply({ plain: plainRule });
      harness.sockets.track(connect(await harness.listenPlain(), '127.0.0.1')).resume();
      const report = await until('report', () => harness.reports[0]);
      assert.equal(report.reason, 'no-cluster');
      assert.equal(report.clusterName, clusterName);
    });

    test('a cluster is in use until its connections have ended, in the tables or not', async () => {
      harness = new EngineHarness(make);
      const { port } = await harness.sockets.serve((socket) => socket.write('hello'));
      harness.endpoints(endpoint(port));
      harness.apply({ plain: plainRule });
      const client = await harness.sockets.connect(await harness.listenPlain());
      await once(client, 'data');
      assert.ok(harness.engine.counters().inUse.has(clusterName));
      harness.apply({ clusters: new Map() });
      assert.ok(harness.engine.counters().inUse.has(clusterName));
    });

    test('what was accepted before its listener closed goes on', async () => {
      harness = new EngineHarness(make);
      const { port } = await harness.sockets.serveMtls(harness.server, harness.bundle, (socket) => socket.write('hello'));
      harness.endpoints(endpoint(port));
      harness.apply({ sni: new Map([[sni, terminate]]) });
      const listener = await harness.engine.listen({ name: 'east-west', address: '127.0.0.1', port: 0, kind: 'sni' });
      const client = await harness.sockets.connect(listener.port);
      await until('accepted', () => harness.engine.counters().accepted === 1);
      let broken = false;
      client.on('close', () => {
        broken = true;
      });
      const answered = once(client, 'data').then(() => 'answered');
      await listener.close();
      client.write(clientHello(sni));
      const seen = await Promise.race([
        answered,
        until('an end', () => broken).then(
          () => 'closed',
          () => 'nothing',
        ),
      ]);
      assert.equal(seen, 'answered');
    });
  });
}
