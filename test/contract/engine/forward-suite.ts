import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { endedByReset } from '../../../gateway/engine/node/ended-by-reset.ts';
import { deadPort, readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const passthrough = new Map([[sni, { mode: 'passthrough' as const, clusterName }]]);
const plainRule = new Map([['plain', { clusterName, protocol: 'tcp' as const, allow: 'any' as const }]]);

/** Bytes that go through: whole, in order, each direction with its own end, and breaks as breaks. */
export function forwardSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: forward`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    const echoMtls = () => harness.sockets.serveMtls(harness.server, harness.bundle, (socket) => socket.pipe(socket));

    test('passthrough: mTLS end to end, the gateway sees no caller', async () => {
      harness = new EngineHarness(make);
      const { port } = await echoMtls();
      harness.endpoints(endpoint(port));
      harness.apply({ sni: passthrough });
      const client = await harness.sockets.connectMtls(await harness.listenSni(), harness.caller, harness.bundle, harness.target);
      const sent = randomBytes(3_000_000);
      client.end(sent);
      assert.equal(digest(await readAll(client)), digest(sent));
      const report = await until('report', () => harness.reports[0]);
      assert.equal(report.outcome, 'forward');
      assert.equal(report.reason, '');
      assert.equal(report.sni, sni);
      assert.equal(report.peer, undefined);
      assert.ok(report.bytesReceived > sent.length && report.bytesSent > sent.length);
    });

    for (const kind of ['plain', 'terminate', 'originate'] as const) {
      const open = async (onSocket: (socket: Socket) => void): Promise<Socket> => {
        harness = new EngineHarness(make, {}, undefined);
        if (kind === 'originate') {
          const { port } = await harness.sockets.serveMtls(harness.server, harness.bundle, onSocket);
          harness.endpoints(endpoint(port, { tls: harness.target }));
        } else {
          const { port } = await harness.sockets.serve(onSocket);
          harness.endpoints(endpoint(port));
        }
        const end = { namespace: 'shop', service: 'orders' };
        const terminate = { mode: 'terminate' as const, clusterName, protocol: 'tcp' as const, authz: allowAll, end };
        harness.apply({ plain: plainRule, sni: new Map([[sni, terminate]]) });
        if (kind !== 'terminate') return harness.sockets.connect(await harness.listenPlain());
        return harness.sockets.connectMtls(await harness.listenSni(), harness.caller, harness.bundle, harness.target);
      };

      test(`${kind}: the caller ends first, and still gets a whole answer`, async () => {
        const answer = randomBytes(5_000_000);
        let received = '';
        const client = await open(async (socket) => {
          received = digest(await readAll(socket));
          socket.end(answer);
        });
        const sent = randomBytes(4_000_000);
        client.end(sent);
        assert.equal(digest(await readAll(client)), digest(answer));
        assert.equal(received, digest(sent));
      });

      test(`${kind}: the server ends first, and still gets all that the caller sends`, async () => {
        const greeting = randomBytes(2_000_000);
        let received: Promise<Buffer> | undefined;
        const client = await open((socket) => {
          received = readAll(socket);
          socket.end(greeting);
        });
        assert.equal(digest(await readAll(client)), digest(greeting));
        const late = randomBytes(3_000_000);
        client.end(late);
        assert.equal(digest(await until('server side', () => received)), digest(late));
        const report = await until('report', () => harness.reports[0]);
        assert.deepEqual([report.reason, report.bytesReceived, report.bytesSent], ['', late.length, greeting.length]);
      });

      test(`${kind}: a server that breaks off is not an end`, async () => {
        const client = await open((socket) => socket.write('hello'));
        await once(client, 'data');
        const end = readAll(client);
        for (const socket of harness.sockets.accepted) socket.resetAndDestroy();
        await assert.rejects(end);
        const report = await until('report', () => harness.reports[0]);
        assert.equal(report.reason, 'upstream-reset');
        assert.deepEqual(report.flags, ['UC']);
      });
    }

    test('callers that reset right behind their last bytes have ended for nobody', async () => {
      harness = new EngineHarness(make);
      const [ended, broken]: [string[], string[]] = [[], []];
      const { port } = await harness.sockets.serve((socket) => {
        socket.write('hello');
        socket.on('data', () => {});
        socket.on('error', () => broken.push('error'));
        // Node's own readers take most of these for ends: the kernel is asked.
        socket.on('end', () => (endedByReset(socket) ? broken : ended).push('end'));
      });
      harness.endpoints(endpoint(port));
      harness.apply({ plain: plainRule });
      const listening = await harness.listenPlain();
      const callers = 60;
      for (let i = 0; i < callers; i++) {
        const client = await harness.sockets.connect(listening);
        await once(client, 'data');
        client.write(randomBytes(1 + i * 40), () => client.resetAndDestroy());
      }
      await until('all to be gone', () => ended.length + broken.length >= callers);
      assert.equal(ended.length, 0, `${ended.length} of ${callers} resets came as ends`);
    });

    test('a slow reader holds the writer back', async () => {
      harness = new EngineHarness(make);
      let pushed = 0;
      const total = 64 * 1_048_576;
      const { port } = await harness.sockets.serve((socket) => {
        const block = Buffer.alloc(65_536, 7);
        const push = () => {
          while (pushed < total) {
            pushed += block.length;
            if (!socket.write(block)) return void socket.once('drain', push);
          }
          socket.end();
        };
        push();
      });
      harness.endpoints(endpoint(port));
      harness.apply({ plain: plainRule });
      const client = await harness.sockets.connect(await harness.listenPlain());
      client.pause();
      let last = -1;
      await until('the writer to stand still', async () => {
        const still = pushed > 0 && pushed === last;
        last = pushed;
        await new Promise((resolve) => setTimeout(resolve, 200));
        return still;
      });
      assert.ok(pushed < total / 2, `${pushed} bytes were taken for a reader that reads nothing`);
      let read = 0;
      client.on('data', (chunk: Buffer) => {
        read += chunk.length;
      });
      client.resume();
      await once(client, 'end');
      assert.equal(read, total);
    });

    test('a server that speaks first is heard', async () => {
      harness = new EngineHarness(make);
      const { port } = await harness.sockets.serve((socket) => socket.end('220 ready\r\n'));
      harness.endpoints(endpoint(port));
      harness.apply({ plain: plainRule });
      const client = await harness.sockets.connect(await harness.listenPlain());
      assert.equal((await readAll(client)).toString(), '220 ready\r\n');
    });

    test('an endpoint that refuses, and one that closes before a byte, are replaced by another; the hello is sent again', async () => {
      harness = new EngineHarness(make);
      const closing = await harness.sockets.serve((socket) => socket.once('data', () => socket.destroy()));
      const good = await echoMtls();
      harness.endpoints(endpoint(await deadPort()), endpoint(closing.port), endpoint(good.port));
      harness.apply({ sni: passthrough });
      const port = await harness.listenSni();
      for (let i = 0; i < 4; i++) {
        const client = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
        client.end('ping');
        assert.equal((await readAll(client)).toString(), 'ping');
      }
      const results = () => new Set(harness.attempts.map((a) => a.result));
      await until('all attempts', () => results().size === 3);
      assert.deepEqual([...results()].sort(), ['connect', 'early-close', 'ok']);
    });

    test('no endpoint answers: closed with the flags that say so', async () => {
      harness = new EngineHarness(make);
      harness.endpoints(endpoint(await deadPort()), endpoint(await deadPort()));
      harness.apply({ plain: plainRule });
      const port = await harness.listenPlain();
      // It may be refused before the caller has seen that it is connected.
      await assert.rejects(async () => readAll(await harness.sockets.connect(port)));
      const report = await until('report', () => harness.reports[0]);
      assert.deepEqual([report.reason, report.flags, report.attempts], ['upstream-connect', ['UF', 'URX'], 2]);
    });

    test('priorities, draining, weight 0 and ejection', async () => {
      harness = new EngineHarness(make);
      const hits = new Map<string, number>();
      const serve = async (label: string) => {
        const { port } = await harness.sockets.serve((socket) => {
          hits.set(label, (hits.get(label) ?? 0) + 1);
          socket.end(label);
        });
        return port;
      };
      const a = await serve('a');
      const b = await serve('b');
      const draining = await serve('draining');
      const zero = await serve('zero');
      const far = await serve('far');
      const near = [
        endpoint(a, { weight: 3 }),
        endpoint(b, { weight: 1 }),
        endpoint(draining, { draining: true }),
        endpoint(zero, { weight: 0 }),
      ];
      harness.endpoints(...near, endpoint(far, { priority: 1 }));
      harness.apply({ plain: plainRule });
      const port = await harness.listenPlain();
      const call = async () => readAll(await harness.sockets.connect(port));
      for (let i = 0; i < 40; i++) await call();
      assert.deepEqual([...hits].sort(), [
        ['a', 30],
        ['b', 10],
      ]);
      harness.apply({ ejected: new Set([`${clusterName} 127.0.0.1:${a}`, `${clusterName} 127.0.0.1:${b}`]) });
      assert.equal((await call()).toString(), 'far');
      harness.apply({ ejected: new Set([a, b, far].map((p) => `${clusterName} 127.0.0.1:${p}`)) });
      assert.match((await call()).toString(), /^[ab]$/, 'when all are suspect, they are tried all the same');
    });
  });
}
