import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { Protocol } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import type { DeliveredConnection, SniRule } from '../../../gateway/engine/contract.ts';
import { abortStream } from '../../../gateway/engine/index.ts';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const end = { namespace: 'shop', service: 'orders' };
const requests = (more: Partial<Extract<SniRule, { mode: 'terminate' }>> = {}, protocol: Protocol = 'http') => ({
  sni: new Map([[sni, { mode: 'terminate' as const, clusterName, protocol, authz: allowAll, end, ...more }]]),
});
/** All that comes to an end that was delivered paused. */
const hear = (socket: Duplex): Promise<Buffer> => {
  const all = readAll(socket as Socket);
  socket.resume();
  return all;
};
/** Of a stream that broke, and did not end. */
const brokenOff = async (socket: Socket) => assert.rejects(hear(socket));

/** Connections for requests: whoever ends their TLS, their bytes are TypeScript's, whole, with their ends and breaks, and who called is said. */
export function requestsSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: requests`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    const delivered = (count = 1) => until('delivery', () => harness.delivered[count - 1]);
    const bytesOf = (connection: DeliveredConnection) => connection.socket as Socket;
    const call = (port: number, alpn?: readonly string[], svid = harness.caller) =>
      harness.sockets.connectMtls(port, svid, harness.bundle, alpn === undefined ? harness.target : { ...harness.target, alpn });
    /** One that stands: the caller's end, and ours. */
    const begun = async (limits = {}): Promise<[TLSSocket, Socket]> => {
      harness = new EngineHarness(make, limits);
      harness.endpoints(endpoint(1));
      harness.apply(requests());
      const client = await call(await harness.listenSni());
      return [client, bytesOf(await delivered())];
    };

    test('who called, from where, and by which protocol is said; each counts once, and until its end', async () => {
      harness = new EngineHarness(make);
      harness.endpoints(endpoint(1));
      harness.apply(requests({ nameless: true }));
      const port = await harness.listenSni();
      const client = await call(port, ['h2', 'http/1.1']);
      const { socket, id, source, destination, peer, ...rest } = await delivered();
      assert.equal(peer?.spiffeId, 'spiffe://mesh.test/ns/web/sa/front');
      assert.equal(peer.serial, harness.caller.serial);
      assert.deepEqual(source, { address: '127.0.0.1', port: client.localPort });
      assert.deepEqual(destination, { address: '127.0.0.1', port });
      const { listener, protocol, alpn, nameless } = rest;
      assert.deepEqual([rest.clusterName, rest.sni, rest.end], [clusterName, sni, end]);
      assert.deepEqual(
        { listener, protocol, alpn, nameless },
        { listener: 'east-west', protocol: 'http', alpn: 'http/1.1', nameless: true },
      );
      assert.deepEqual([harness.engine.counters().open, harness.engine.counters().accepted], [1, 1]);
      assert.ok(harness.engine.counters().inUse.has(clusterName));
      assert.equal(harness.peers.length, 1);
      client.end('GET');
      assert.equal(String(await hear(socket)), 'GET');
      socket.end('200');
      assert.equal(String(await readAll(client)), '200');
      const report = await until('report', () => harness.reports[0]);
      assert.deepEqual([report.id, report.outcome, report.reason, report.clusterName], [id, 'deliver', '', clusterName]);
      assert.deepEqual(report.source, source);
      await until('its place', () => harness.engine.counters().open === 0);
      assert.deepEqual([harness.reports.length, harness.engine.counters().inUse.size], [1, 0]);
    });

    test('protocols are agreed on as the rule speaks them; who offers none of them is let in without', async () => {
      harness = new EngineHarness(make);
      const port = await harness.listenSni();
      const cases: readonly [Protocol, readonly string[] | undefined, string][] = [
        ['http', ['h2'], 'h2'],
        ['http', ['h2', 'http/1.1'], 'http/1.1'],
        ['http', ['istio', 'http/1.1'], 'http/1.1'],
        ['http', ['istio'], ''],
        ['http', undefined, ''],
        ['http2', ['http/1.1', 'h2'], 'h2'],
        ['http2', ['http/1.1'], ''],
        ['grpc', ['h2'], 'h2'],
      ];
      for (const [at, [protocol, offered, agreed]] of cases.entries()) {
        harness.apply(requests({}, protocol));
        const client = await call(port, offered);
        assert.equal((await delivered(at + 1)).alpn, agreed, `${protocol} ${offered?.join()}`);
        client.destroy();
      }
    });

    test('the caller ends first, and still gets a whole answer', async () => {
      const [client, ours] = await begun();
      const [sent, answer] = [randomBytes(5_000_000), randomBytes(6_000_000)];
      client.end(sent);
      assert.equal(digest(await hear(ours)), digest(sent));
      ours.end(answer);
      assert.equal(digest(await readAll(client)), digest(answer));
    });

    test('our end ends first, and still gets all that the caller sends', async () => {
      const [client, ours] = await begun();
      const [sent, answer] = [randomBytes(5_000_000), randomBytes(6_000_000)];
      ours.end(answer);
      assert.equal(digest(await readAll(client)), digest(answer));
      client.end(sent);
      assert.equal(digest(await hear(ours)), digest(sent));
    });

    test('what was written before our end is closed arrives', async () => {
      const [client, ours] = await begun();
      const answer = randomBytes(3_000_000);
      ours.end(answer, () => ours.destroy());
      assert.equal(digest(await readAll(client)), digest(answer));
      await until('report', () => harness.reports[0]);
    });

    test('a caller that breaks off is seen to, and so are we', async () => {
      const [client, ours] = await begun();
      client.write('begun');
      ours.resume();
      await once(ours, 'data');
      const seen = brokenOff(ours);
      harness.sockets.reset(client);
      await seen;
      await until('report', () => harness.reports[0]);
      const second = await call(harness.port);
      const theirs = bytesOf(await delivered(2));
      theirs.write('begun');
      await once(second, 'data');
      const cut = brokenOff(second);
      abortStream(theirs);
      await cut;
      await until('report', () => harness.reports[1]);
      assert.equal(harness.engine.counters().open, 0);
    });

    test('who reads slowly is not sent more than fits, either way, and misses nothing', async () => {
      const [client, ours] = await begun();
      for (const [from, to] of [
        [client, ours],
        [ours, client],
      ] as const) {
        const sent = randomBytes(40_000_000);
        for (let at = 0; at < sent.length; at += 100_000) from.write(sent.subarray(at, at + 100_000));
        await until('the way to be full', async () => {
          const before = from.writableLength;
          await systemClock.sleep(200);
          return from.writableLength === before;
        });
        assert.ok(from.writableLength > 20_000_000, `all but ${from.writableLength} bytes are kept somewhere`);
        const heard = createHash('sha256');
        let length = 0;
        to.on('data', (chunk: Buffer) => {
          heard.update(chunk);
          length += chunk.length;
        });
        to.resume();
        await until('all of it', () => length === sent.length);
        assert.equal(heard.digest('hex'), digest(sent));
      }
    });

    test('rules that refuse every request are said, and changes of them cut nobody; a certificate that is taken back does', async () => {
      harness = new EngineHarness(make);
      harness.apply(requests({ authz: { name: 'none', rules: [] } }));
      const port = await harness.listenSni();
      const refused = await call(port);
      const first = await delivered();
      assert.match(first.denied ?? '', /rbac_access_denied_matched_policy\[none\]/);
      refused.end();
      await hear(first.socket);
      first.socket.destroy();
      assert.deepEqual([(await until('report', () => harness.reports[0])).reason, harness.reports[0]?.outcome], ['rbac-denied', 'deliver']);
      harness.apply(requests());
      const client = await call(port);
      const second = await delivered(2);
      assert.equal(second.denied, undefined);
      harness.apply(requests({ authz: { name: 'none', rules: [] } }));
      harness.apply({ sni: new Map() });
      client.write('still here');
      second.socket.resume();
      assert.equal(String((await once(second.socket, 'data'))[0]), 'still here');
      const cut = brokenOff(client);
      harness.apply({ trust: { ...harness.bundle, deniedSerials: [harness.caller.serial] } });
      await cut;
      assert.equal((await until('report', () => harness.reports[1])).reason, 'peer-denied');
    });

    test('limits hold until both ends are over', async () => {
      const [client, ours] = await begun({ maxConnectionsPerSource: 1 });
      await assert.rejects(call(harness.port));
      client.end();
      await hear(ours);
      await assert.rejects(call(harness.port));
      ours.end();
      await readAll(client);
      await until('a place', () => harness.engine.counters().open === 0);
      (await call(harness.port)).destroy();
      await until('reports', () => harness.reports.length === 4);
    });

    test('drain breaks off what is still open at its deadline', async () => {
      const [client, ours] = await begun();
      client.write('begun');
      ours.resume();
      await once(ours, 'data');
      const broken = brokenOff(client);
      await harness.engine.drain(100);
      await broken;
      await until('our end to be closed', () => ours.destroyed);
      assert.equal((await until('report', () => harness.reports[0])).reason, 'drain-forced');
    });

    describe('dialled', () => {
      /** One that stands: our end, and the server's. */
      const dialled = async (alpn: readonly string[] = []): Promise<[Socket, TLSSocket]> => {
        harness = new EngineHarness(make);
        let accepted: TLSSocket | undefined;
        const { port } = await harness.sockets.serveMtls(
          harness.server,
          harness.bundle,
          (socket) => {
            accepted = socket;
          },
          ['http/1.1', 'h2'],
        );
        const request = { clusterName, endpoint: endpoint(port, { tls: harness.target }), connectTimeoutMs: 5_000 };
        const result = await harness.engine.dial({ ...request, alpn });
        assert.ok(result.ok, result.ok ? '' : result.reason);
        assert.equal(result.peer?.spiffeId, 'spiffe://mesh.test/ns/shop/sa/orders');
        assert.equal(result.alpn, alpn[0] ?? '');
        return [harness.sockets.track(result.socket as Socket), await until('the server', () => accepted)];
      };

      for (const alpn of [[], ['h2'], ['http/1.1']]) {
        test(`whole both ways, each with its own end; protocol ${alpn.join() || 'none'}`, async () => {
          const [ours, server] = await dialled(alpn);
          const [sent, answer] = [randomBytes(5_000_000), randomBytes(6_000_000)];
          const heard = readAll(server);
          ours.end(sent);
          assert.equal(digest(await heard), digest(sent));
          server.end(answer);
          assert.equal(digest(await hear(ours)), digest(answer));
          assert.deepEqual([harness.reports.length, harness.attempts.length, harness.engine.counters().accepted], [0, 0, 0]);
          assert.equal(harness.peers.length, 1);
        });
      }

      test('a server that ends or breaks off is seen to, and so are we', async () => {
        const [ended, ending] = await dialled();
        ending.end('bye');
        assert.equal(String(await hear(ended)), 'bye');
        ended.destroy();
        await harness.close();
        const [ours, server] = await dialled();
        server.write('begun');
        ours.resume();
        await once(ours, 'data');
        const seen = brokenOff(ours);
        harness.sockets.resetAccepted();
        await seen;
        await harness.close();
        const [other, left] = await dialled();
        other.write('begun');
        left.resume();
        await once(left, 'data');
        const cut = brokenOff(left);
        abortStream(other);
        await cut;
      });

      test('a server whose certificate is taken back is cut off', async () => {
        const [ours] = await dialled();
        ours.resume();
        const closed = once(ours, 'close');
        harness.apply({ trust: { ...harness.bundle, deniedSerials: [harness.server.serial] } });
        await closed.catch(() => {});
        await until('the end', () => ours.destroyed);
      });

      test('nobody waits for one that was given up, or for an engine that is disposed', async () => {
        harness = new EngineHarness(make);
        const { port } = await harness.sockets.serve(() => {});
        const request = { clusterName, endpoint: endpoint(port, { tls: harness.target }), connectTimeoutMs: 5_000 };
        const given = AbortSignal.abort();
        const early = await harness.engine.dial({ ...request, signal: given });
        assert.equal(early.ok ? '' : early.failure, 'aborted');
        const later = new AbortController();
        const pending = harness.engine.dial({ ...request, signal: later.signal });
        await until('the connection', () => harness.sockets.accepted.size > 0);
        later.abort();
        const result = await pending;
        assert.equal(result.ok ? '' : result.failure, 'aborted');
        await until(
          'it to be closed',
          () =>
            harness.sockets.accepted.size === 0 ||
            [...harness.sockets.accepted].every((each) => each.readableEnded || each.resume().destroyed),
        );
      });
    });
  });
}
