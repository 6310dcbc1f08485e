import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { AuthzRule } from '../../../core/authz/index.ts';
import { mtlsClientOptions } from '../../../core/identity/index.ts';
import { type ProxyProtocol, proxyHeader } from '../../../core/proxy-protocol.ts';
import type { ConnectionReport, ConnectionSource, EngineLimits, EngineListenerSpec, SniRule } from '../../../gateway/engine/contract.ts';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, clusterTable, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';
import { serveTold } from './told-server.ts';

const caller = { address: '203.0.113.7', port: 40_000 };
const front = { address: '198.51.100.1', port: 443 };
const [v1, v2] = (['v1', 'v2'] as const).map((version) => proxyHeader(version, { source: caller, destination: front })) as [Buffer, Buffer];
const plain = (allow: readonly string[] | 'any' = 'any', protocol: 'tcp' | 'http' = 'tcp') =>
  new Map([['plain', { clusterName, protocol, allow }]]);
const fromCaller: AuthzRule = {
  action: 'allow',
  name: 'callers',
  principals: [],
  namespaces: [],
  clusters: [],
  when: { kind: 'test', attribute: 'source-ip', names: [], patterns: ['203.0.113.0/24'] },
};

/** Listeners behind proxies that say who called. */
export function proxyReceivingSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: PROXY protocol from proxies in front`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    const listen = async (kind: 'sni' | 'plain', trusted = ['127.0.0.0/8']): Promise<number> => {
      const spec: EngineListenerSpec = { name: kind, address: '127.0.0.1', port: 0, kind, acceptProxy: { trusted } };
      return (await harness.engine.listen(spec)).port;
    };
    const start = async (limits: Partial<EngineLimits> = {}, onSocket: (socket: Socket) => unknown = (socket) => socket.pipe(socket)) => {
      harness = new EngineHarness(make, limits);
      const { port } = await harness.sockets.serve((socket) => void onSocket(socket));
      harness.endpoints(endpoint(port));
      harness.apply({ plain: plain() });
    };
    const report = (count = 1): Promise<ConnectionReport> => until('report', () => harness.reports[count - 1]);
    const assertEnds = ({ source, destination }: ConnectionReport, from: ConnectionSource, to: ConnectionSource) =>
      assert.deepEqual([source, destination], [from, to]);

    test('both versions, at once or by the byte: the rest goes through whole, and the connection is the caller’s', async () => {
      await start();
      const port = await listen('plain');
      const sent = randomBytes(100_000);
      for (const [i, header] of [v1, v2].entries()) {
        const client = await harness.sockets.connect(port);
        client.setNoDelay(true);
        // The last bytes of the header come with the first of the stream.
        for (const byte of header.subarray(0, -3)) client.write(Buffer.of(byte));
        client.end(Buffer.concat([header.subarray(-3), sent]));
        assert.deepEqual(await readAll(client), sent);
        const done = await report(i + 1);
        assert.deepEqual([done.reason, done.bytesReceived, done.bytesSent], ['', sent.length, sent.length]);
        assertEnds(done, caller, front);
      }
      harness.assertCarried();
    });

    test('a server that speaks first is heard; one that answers late is told everything before', async () => {
      await start({}, async (socket) => {
        socket.write('welcome');
        socket.end(`heard ${(await readAll(socket)).length}`);
      });
      const client = await harness.sockets.connect(await listen('plain'));
      client.write(Buffer.concat([v2, Buffer.of(1)]));
      assert.equal(String((await once(client, 'data'))[0]), 'welcome');
      client.end(randomBytes(1_000_000));
      assert.equal((await readAll(client)).toString(), 'heard 1000001');
      harness.assertCarried();
    });

    test('a proxy’s own check is the proxy’s; who is mapped into IPv6 is the IPv4 address', async () => {
      await start();
      const port = await listen('plain');
      const mapped = proxyHeader('v2', { source: { address: '::ffff:203.0.113.7', port: 40_000 }, destination: front });
      for (const header of [proxyHeader('v1', undefined), proxyHeader('v2', undefined), mapped]) {
        const client = await harness.sockets.connect(port);
        client.end(Buffer.concat([header, Buffer.from('ping')]));
        assert.equal((await readAll(client)).toString(), 'ping');
      }
      const own = { address: '127.0.0.1', port };
      await until('reports', () => harness.reports.length === 3);
      for (const { source, destination } of harness.reports.slice(0, 2))
        assert.deepEqual([source.address, destination], ['127.0.0.1', own]);
      assertEnds(await report(3), caller, front);
    });

    test('rules ask for the caller and not for the proxy', async () => {
      await start();
      const end = { namespace: 'shop', service: 'orders' };
      const rule: SniRule = { mode: 'terminate', clusterName, protocol: 'tcp', authz: { ...allowAll, rules: [fromCaller] }, end };
      harness.apply({ plain: plain(['203.0.113.0/24']), sni: new Map([[sni, rule]]) });
      const [plainPort, sniPort] = [await listen('plain'), await listen('sni')];
      const other = proxyHeader('v1', { source: { address: '192.0.2.1', port: 1 }, destination: front });
      const overPlain = async (header: Buffer): Promise<string> => {
        const client = await harness.sockets.connect(plainPort);
        client.end(Buffer.concat([header, Buffer.from('ping')]));
        return readAll(client).then(String, () => 'refused');
      };
      const overTls = async (header: Buffer): Promise<string> => {
        const transport = await harness.sockets.connect(sniPort);
        transport.write(header);
        const client = connectTls({ ...mtlsClientOptions(harness.caller, harness.bundle, harness.target, Date.now), socket: transport });
        harness.sockets.track(client);
        client.end('ping');
        return readAll(client).then(
          (bytes) => (bytes.length === 0 ? 'refused' : bytes.toString()),
          () => 'refused',
        );
      };
      assert.deepEqual(
        [await overPlain(v1), await overPlain(other), await overTls(v2), await overTls(other)],
        ['ping', 'refused', 'ping', 'refused'],
      );
      await until('reports', () => harness.reports.length === 4);
      assert.deepEqual(
        harness.reports.map(({ reason, source }) => [reason, source.address]),
        [
          ['', '203.0.113.7'],
          ['source-denied', '192.0.2.1'],
          ['', '203.0.113.7'],
          ['rbac-denied', '192.0.2.1'],
        ],
      );
      harness.assertCarried();
    });

    test('no header, a wrong one, one too long, half of one or none in time: refused with the reason, and nobody behind hears of it', async () => {
      let reached = 0;
      await start({ helloTimeoutMs: 300 }, () => {
        reached += 1;
      });
      const port = await listen('plain');
      const long = Buffer.concat([v2.subarray(0, 12), Buffer.from('211120ff', 'hex'), Buffer.alloc(5_000)]);
      const cases: readonly [bytes: Buffer, reason: string, ends: boolean][] = [
        [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'proxy-header-absent', false],
        [Buffer.from('PROXY TCP4 203.0.113.7 198.51.100.1 40000 443 x\r\n'), 'proxy-header-malformed', false],
        [Buffer.concat([v2.subarray(0, 12), Buffer.from('3111000c', 'hex')]), 'proxy-header-malformed', false],
        [Buffer.from(`PROXY ${'T'.repeat(200)}`), 'proxy-header-oversized', false],
        [long, 'proxy-header-oversized', false],
        [v2.subarray(0, 20), 'proxy-header-incomplete', true],
        [Buffer.alloc(0), 'proxy-header-incomplete', true],
        [v1.subarray(0, 20), 'proxy-header-timeout', false],
        [Buffer.alloc(0), 'proxy-header-timeout', false],
      ];
      for (const [i, [bytes, reason, ends]] of cases.entries()) {
        const client = await harness.sockets.connect(port);
        client.write(bytes);
        if (ends) client.end();
        await assert.rejects(readAll(client), reason);
        const { reason: found, outcome } = await report(i + 1);
        assert.deepEqual([found, outcome], [reason, 'refused']);
      }
      assert.equal(reached, 0);
      assert.equal(harness.engine.counters().open, 0);
      harness.assertCarried();
    });

    test('nobody else’s word counts: from elsewhere than the proxies nobody is taken', async () => {
      await start();
      const port = await listen('plain', ['10.0.0.0/8', 'fd00::/8']);
      // An engine may refuse it before it has noticed that it is connected.
      const call = async () => {
        const client = await harness.sockets.connect(port);
        client.write(v1);
        return readAll(client);
      };
      await assert.rejects(call());
      assert.deepEqual([(await report()).reason, (await report()).source.address], ['proxy-untrusted', '127.0.0.1']);
      harness.assertCarried();
    });

    test('callers have their limits each, however many come through one proxy', async () => {
      await start({ maxConnectionsPerSource: 2 });
      const port = await listen('plain');
      const from = async (address: string): Promise<Socket> => {
        const client = await harness.sockets.connect(port);
        client.write(Buffer.concat([proxyHeader('v1', { source: { address, port: 1 }, destination: front }), Buffer.from('ping')]));
        return client;
      };
      const open: Socket[] = [];
      for (const address of ['203.0.113.1', '203.0.113.2', '203.0.113.1', '203.0.113.2']) {
        const client = await from(address);
        assert.equal(String((await once(client, 'data'))[0]), 'ping');
        open.push(client);
      }
      await assert.rejects(readAll(await from('203.0.113.1')));
      assert.deepEqual([(await report()).reason, (await report()).source.address], ['too-many-from-source', '203.0.113.1']);
      open[0]?.end();
      await report(2);
      const again = await from('203.0.113.1');
      assert.equal(String((await once(again, 'data'))[0]), 'ping');
    });

    test('whoever sees requests sees them as the caller’s, and endpoints are told of it', async () => {
      await start();
      harness.apply({ plain: plain('any', 'http') });
      const port = await listen('plain');
      const asked = await harness.sockets.connect(port);
      asked.write(Buffer.concat([v2, Buffer.from('GET / HTTP/1.1\r\n\r\n')]));
      const delivered = await until('it is delivered', () => harness.delivered[0]);
      assert.deepEqual([delivered.source, delivered.destination], [caller, front]);
      delivered.socket.resume();
      assert.equal(String((await once(delivered.socket, 'data'))[0]), 'GET / HTTP/1.1\r\n\r\n');
      delivered.socket.destroy();
      for (const version of ['v1', 'v2'] as const satisfies readonly ProxyProtocol[]) {
        const told = await serveTold(harness.sockets, (socket) => void socket.pipe(socket));
        const clusters = new Map([[clusterName, clusterTable(clusterName, [endpoint(told.port)], { proxyProtocol: version })]]);
        harness.apply({ plain: plain(), clusters });
        const client = await harness.sockets.connect(port);
        client.end(Buffer.concat([v1, Buffer.from('ping')]));
        assert.equal((await readAll(client)).toString(), 'ping');
        const ends = proxyHeader('v1', { source: caller, destination: front });
        const [header = Buffer.alloc(0)] = told.headers;
        if (version === 'v1') assert.deepEqual(header, ends);
        else assert.equal(header.subarray(16, 28).toString('hex'), v2.subarray(16, 28).toString('hex'));
      }
    });
  });
}
