import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, test } from 'node:test';
import type { MtlsMode } from '../../../core/authz/index.ts';
import { helloMessage, inRecords } from '../../support/client-hello-bytes.ts';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { ExposedPort, end } from './exposed-port.ts';
import { clusterName, EngineHarness, endpoint, type MakeEngine, type MoreOfEngine, sni } from './harness.ts';

const hello = inRecords(helloMessage({ names: ['app.example.org'] }));

/** A service's own port: who gets through it, by what comes first. */
export function exposedSuite(engine: string, make: MakeEngine): void {
  describe(`engine ${engine}: exposed ports`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    const open = (...more: MoreOfEngine): ExposedPort => {
      harness = new EngineHarness(make, ...more);
      return new ExposedPort(harness);
    };

    test('byte streams: mode by caller', async () => {
      const exposed = open({ helloTimeoutMs: 500, handshakeTimeoutMs: 1_000 });
      await exposed.echo();
      const port = await exposed.listen();
      const table: readonly [mode: MtlsMode, plaintext: string, mtls: string, foreign: 'app' | string][] = [
        ['strict', 'plaintext-refused', 'ping', 'foreign-tls'],
        ['permissive', 'ping', 'ping', 'app'],
        // Nothing is looked at: the hello comes back from the application, and is no handshake.
        ['disable', 'ping', '', 'app'],
      ];
      for (const [mode, plaintext, mtls, foreign] of table) {
        exposed.put(mode);
        const before = harness.reports.length;
        const said = (await exposed.answerTo(port, Buffer.from('ping'))).toString();
        assert.equal(said === '' ? (await exposed.lastReport(before + 1)).reason : said, plaintext, `${mode}, plaintext`);
        assert.equal(await exposed.byMtls(port), mtls, `${mode}, mTLS`);
        await exposed.lastReport(before + 2);
        const back = await exposed.answerTo(port, hello);
        const last = await exposed.lastReport(before + 3);
        assert.equal(back.equals(hello) ? 'app' : last.reason, foreign, `${mode}, TLS of the application`);
        assert.deepEqual([last.end, last.clusterName, last.peer], [end, clusterName, undefined]);
      }
      harness.assertCarried();
    });

    test('HTTP: what is not of the mesh and speaks TLS is no request', async () => {
      const exposed = open({ helloTimeoutMs: 500, handshakeTimeoutMs: 1_000 });
      await exposed.echo();
      const port = await exposed.listen();
      const request = Buffer.from('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
      for (const [mode, plaintext, foreign] of [
        ['strict', 'plaintext-refused', 'foreign-tls'],
        ['permissive', 'delivered', 'foreign-tls'],
        ['disable', 'delivered', 'delivered'],
      ] as const) {
        exposed.put(mode, 'http');
        for (const [bytes, expected] of [
          [request, plaintext],
          [hello, foreign],
        ] as const) {
          const [delivered, reported] = [harness.delivered.length, harness.reports.length];
          const client = await harness.sockets.connect(port);
          client.write(bytes);
          if (expected !== 'delivered') {
            assert.equal((await exposed.lastReport(reported + 1)).reason, expected, mode);
            continue;
          }
          const got = await until('delivery', () => harness.delivered[delivered]);
          assert.deepEqual([got.peer, got.inTheClear, got.end, got.denied], [undefined, 80, end, undefined]);
          got.socket.resume();
          const [chunk] = (await once(got.socket, 'data')) as [Buffer];
          assert.deepEqual(chunk, bytes, 'the bytes that were looked at come first');
          got.socket.destroy();
          await exposed.lastReport(reported + 1);
        }
      }
    });

    test('a server that speaks first is heard, without a wait where mTLS is disabled', async () => {
      const exposed = open({ quietMs: 150, helloTimeoutMs: 1_000 });
      const { port: app } = await harness.sockets.serve((socket) => socket.end('220 ready'));
      harness.endpoints(endpoint(app));
      const port = await exposed.listen();
      for (const [i, mode] of (['permissive', 'disable'] as const).entries()) {
        exposed.put(mode);
        const client = await harness.sockets.connect(port);
        assert.equal((await readAll(client)).toString(), '220 ready', mode);
        client.end();
        await exposed.lastReport(i + 1);
      }
      exposed.put('strict');
      await assert.rejects(readAll(await harness.sockets.connect(port)));
      assert.equal((await exposed.lastReport(3)).reason, 'hello-timeout');
      harness.assertCarried();
    });

    test('who only looks whether somebody listens has not called', async () => {
      const exposed = open();
      let dialled = 0;
      const { port: app } = await harness.sockets.serve((socket) => {
        dialled += 1;
        socket.destroy();
      });
      harness.endpoints(endpoint(app));
      const port = await exposed.listen();
      exposed.put('permissive');
      (await harness.sockets.connect(port)).end();
      const { reason, flags } = await exposed.lastReport(1);
      assert.deepEqual([reason, flags], ['hello-incomplete', ['DC']]);
      assert.equal(dialled, 0);
      harness.assertCarried();
    });

    test('more than the first bytes goes through whole, whatever it begins with', async () => {
      const exposed = open({ quietMs: 150 });
      await exposed.echo();
      const port = await exposed.listen();
      exposed.put('permissive');
      for (const first of [0x00, 0x16, 0x47]) {
        const bytes = Buffer.alloc(3_000_000, 7);
        bytes[0] = first;
        // 0x16 begins a record of TLS, and these go on as none does.
        assert.ok((await exposed.answerTo(port, bytes)).equals(bytes), `0x${first.toString(16)}`);
      }
      await exposed.lastReport(3);
      harness.assertCarried();
    });

    test('requests by mTLS come with who called, and not as in the clear', async () => {
      const exposed = open();
      await exposed.echo();
      const port = await exposed.listen();
      exposed.put('permissive', 'http');
      const client = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
      client.write('GET');
      const { socket, peer, inTheClear, end: of, sni: name, denied } = await until('delivery', () => harness.delivered[0]);
      assert.equal(peer?.spiffeId, 'spiffe://mesh.test/ns/web/sa/front');
      assert.deepEqual([inTheClear, of, name, denied], [undefined, end, sni, undefined]);
      socket.resume();
      assert.equal(String((await once(socket, 'data'))[0]), 'GET');
      socket.destroy();
      await exposed.lastReport(1);
      harness.assertCarried();
    });
  });
}
