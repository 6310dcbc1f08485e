import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, test } from 'node:test';
import type { AuthzRule, MtlsMode } from '../../../core/authz/index.ts';
import type { ConnectionReport, ExposedRule } from '../../../gateway/engine/index.ts';
import { helloMessage, inRecords } from '../../support/client-hello-bytes.ts';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { clusterName, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';

const name = 'exposed|127.0.0.1|8080';
const end = { namespace: 'shop', service: 'orders' };
const hello = inRecords(helloMessage({ names: ['app.example.org'] }));

const rule = (more: Partial<AuthzRule>): AuthzRule => ({
  action: 'allow',
  name: 'r',
  principals: [],
  namespaces: [],
  clusters: [],
  ...more,
});
const ofNobody: AuthzRule = rule({
  name: 'plaintext',
  when: {
    kind: 'all',
    of: [
      { kind: 'not', of: { kind: 'test', attribute: 'principal', names: [], patterns: ['*'] } },
      { kind: 'test', attribute: 'port', names: [], patterns: ['80'] },
    ],
  },
});
const ofWest = rule({ name: 'cluster west', clusters: ['west'] });
const usual = [ofWest, ofNobody];

/** A service's own port, where callers come with mesh and without. */
export function exposedSuite(engine: string, make: MakeEngine): void {
  describe(`engine ${engine}: exposed ports`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    const put = (mode: MtlsMode, protocol: 'tcp' | 'http' = 'tcp', rules: readonly AuthzRule[] = usual, port = 80) => {
      const terminate = { mode: 'terminate' as const, clusterName, protocol, authz: { name: 'shop/orders', rules }, end };
      const exposed: ExposedRule = { end: terminate, port, mode };
      harness.apply({ sni: new Map([[sni, terminate]]), exposed: new Map([[name, exposed]]) });
    };
    const listen = async () => (await harness.engine.listen({ name, address: '127.0.0.1', port: 0, kind: 'exposed' })).port;
    const echo = async () => {
      const { port } = await harness.sockets.serve((socket) => socket.pipe(socket));
      harness.endpoints(endpoint(port));
    };
    const lastReport = (count: number): Promise<ConnectionReport> => until('report', () => harness.reports[count - 1]);
    const answerTo = async (port: number, bytes: Buffer): Promise<Buffer> => {
      const client = await harness.sockets.connect(port);
      client.end(bytes);
      return readAll(client).catch(() => Buffer.alloc(0));
    };
    const byMtls = async (port: number): Promise<string> => {
      try {
        const client = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
        client.end('ping');
        return (await readAll(client)).toString();
      } catch {
        return '';
      }
    };

    test('byte streams: mode by caller', async () => {
      harness = new EngineHarness(make, { helloTimeoutMs: 500, handshakeTimeoutMs: 1_000 });
      await echo();
      const port = await listen();
      const table: readonly [mode: MtlsMode, plaintext: string, mtls: string, foreign: 'app' | string][] = [
        ['strict', 'plaintext-refused', 'ping', 'foreign-tls'],
        ['permissive', 'ping', 'ping', 'app'],
        // Nothing is looked at: the hello comes back from the application, and is no handshake.
        ['disable', 'ping', '', 'app'],
      ];
      for (const [mode, plaintext, mtls, foreign] of table) {
        put(mode);
        const before = harness.reports.length;
        const said = (await answerTo(port, Buffer.from('ping'))).toString();
        assert.equal(said === '' ? (await lastReport(before + 1)).reason : said, plaintext, `${mode}, plaintext`);
        assert.equal(await byMtls(port), mtls, `${mode}, mTLS`);
        await lastReport(before + 2);
        const back = await answerTo(port, hello);
        const last = await lastReport(before + 3);
        assert.equal(back.equals(hello) ? 'app' : last.reason, foreign, `${mode}, TLS of the application`);
        assert.deepEqual([last.end, last.peer], [end, undefined]);
      }
    });

    test('HTTP: what is not of the mesh and speaks TLS is no request', async () => {
      harness = new EngineHarness(make, { helloTimeoutMs: 500, handshakeTimeoutMs: 1_000 });
      await echo();
      const port = await listen();
      const request = Buffer.from('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
      for (const [mode, plaintext, foreign] of [
        ['strict', 'plaintext-refused', 'foreign-tls'],
        ['permissive', 'delivered', 'foreign-tls'],
        ['disable', 'delivered', 'delivered'],
      ] as const) {
        put(mode, 'http');
        for (const [bytes, expected] of [
          [request, plaintext],
          [hello, foreign],
        ] as const) {
          const [delivered, reported] = [harness.delivered.length, harness.reports.length];
          const client = await harness.sockets.connect(port);
          client.write(bytes);
          if (expected !== 'delivered') {
            assert.equal((await lastReport(reported + 1)).reason, expected, mode);
            continue;
          }
          const got = await until('delivery', () => harness.delivered[delivered]);
          assert.deepEqual([got.peer, got.inTheClear, got.end, got.denied], [undefined, 80, end, undefined]);
          got.socket.resume();
          const [chunk] = (await once(got.socket, 'data')) as [Buffer];
          assert.deepEqual(chunk, bytes, 'the bytes that were looked at come first');
          got.socket.destroy();
          await lastReport(reported + 1);
        }
      }
    });

    test('a server that speaks first is heard, without a wait where mTLS is disabled', async () => {
      harness = new EngineHarness(make, { quietMs: 150, helloTimeoutMs: 1_000 });
      const { port: app } = await harness.sockets.serve((socket) => socket.end('220 ready'));
      harness.endpoints(endpoint(app));
      const port = await listen();
      for (const [i, mode] of (['permissive', 'disable'] as const).entries()) {
        put(mode);
        const client = await harness.sockets.connect(port);
        assert.equal((await readAll(client)).toString(), '220 ready', mode);
        client.end();
        await lastReport(i + 1);
      }
      put('strict');
      await assert.rejects(readAll(await harness.sockets.connect(port)));
      assert.equal((await lastReport(3)).reason, 'hello-timeout');
    });

    test('who only looks whether somebody listens has not called', async () => {
      harness = new EngineHarness(make);
      let dialled = 0;
      const { port: app } = await harness.sockets.serve((socket) => {
        dialled += 1;
        socket.destroy();
      });
      harness.endpoints(endpoint(app));
      const port = await listen();
      put('permissive');
      (await harness.sockets.connect(port)).end();
      assert.equal((await lastReport(1)).reason, 'hello-incomplete');
      assert.equal(dialled, 0);
    });

    test('more than the first bytes goes through whole, whatever it begins with', async () => {
      harness = new EngineHarness(make, { quietMs: 150 });
      await echo();
      const port = await listen();
      put('permissive');
      for (const first of [0x00, 0x16, 0x47]) {
        const bytes = Buffer.alloc(3_000_000, 7);
        bytes[0] = first;
        // 0x16 begins a record of TLS, and these go on as none does.
        assert.ok((await answerTo(port, bytes)).equals(bytes), `0x${first.toString(16)}`);
      }
    });

    test('rules judge callers in the clear as nobody, by their address', async () => {
      harness = new EngineHarness(make, { quietMs: 150 });
      await echo();
      const port = await listen();
      const ip = (cidr: string): AuthzRule => rule({ when: { kind: 'test', attribute: 'source-ip', names: [], patterns: [cidr] } });
      const table: readonly [AuthzRule, boolean][] = [
        [ofNobody, true],
        [ofWest, false],
        [rule({ principals: ['*'] }), false],
        [rule({ namespaces: ['*'] }), false],
        [rule({ also: [{ principals: [], namespaces: [], clusters: [], notPrincipals: ['*'], notNamespaces: [] }] }), true],
        [ip('127.0.0.0/8'), true],
        [ip('10.0.0.0/8'), false],
      ];
      for (const [one, isIn] of table) {
        put('permissive', 'tcp', [one]);
        assert.equal((await answerTo(port, Buffer.from('ping'))).toString(), isIn ? 'ping' : '', JSON.stringify(one));
      }
      put('permissive', 'tcp', usual, 81);
      assert.equal((await answerTo(port, Buffer.from('ping'))).toString(), '', 'another port than the one that is open');
    });

    test('streams in the clear end with STRICT, and with rules that refuse them; mTLS beside them goes on', async () => {
      harness = new EngineHarness(make, { quietMs: 150 });
      await echo();
      const port = await listen();
      for (const [change, reason] of [
        [() => put('strict'), 'plaintext-refused'],
        [() => put('permissive', 'tcp', [ofWest]), 'rbac-denied'],
      ] as const) {
        put('permissive');
        const before = harness.reports.length;
        const clear = await harness.sockets.connect(port);
        const secure = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
        for (const client of [clear, secure]) {
          client.write('a');
          await once(client, 'data');
        }
        clear.on('error', () => {});
        change();
        assert.equal((await lastReport(before + 1)).reason, reason);
        secure.write('b');
        assert.equal(String((await once(secure, 'data'))[0]), 'b');
        secure.destroy();
        await lastReport(before + 2);
      }
    });
  });
}
