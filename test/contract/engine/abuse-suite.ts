import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { mtlsClientOptions } from '../../../core/identity/index.ts';
import { TestSockets } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';

const passSni = 'outbound_.81_._.orders.shop.mesh.internal';
const end = { namespace: 'shop', service: 'orders' };

/** The same numbers at each run: what breaks once must break again. */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function server(pick: (below: number) => number): (socket: Socket) => void {
  return (socket) => {
    const behaviours = [
      () => socket.destroy(),
      () => socket.end(Buffer.alloc(pick(200_000))),
      () => socket.once('data', () => socket.destroy()),
      () => socket.pipe(socket),
      () => socket.write('x', () => setTimeout(() => socket.destroy(), pick(10))),
      () => socket.resume(),
    ];
    behaviours[pick(behaviours.length)]?.();
  };
}

async function client(socket: Socket, transport: Socket, pick: (below: number) => number): Promise<void> {
  socket.resume();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const behaviours = [
    () => socket.end(Buffer.alloc(pick(200_000))),
    () => socket.write('hi', () => setTimeout(() => socket.destroy(), pick(20))),
    () => setTimeout(() => transport.destroy(), pick(5)),
    () => {
      const fill = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(60_000)) && pick(20) > 0);
      };
      socket.on('drain', fill);
      fill();
      setTimeout(() => socket.destroy(), pick(30));
    },
    () => socket.end('bye'),
  ];
  behaviours[pick(behaviours.length)]?.();
  await closed;
}

/** Everybody breaks off at any moment: nothing crashes, nothing is left open, each connection is reported once. */
export function abuseSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: abuse`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    test('300 connections of every kind that end in every way', async () => {
      harness = new EngineHarness(make, { handshakeTimeoutMs: 200, idleTimeoutMs: 300, halfCloseTimeoutMs: 200 });
      const pick = sequence(7);
      const plain = await harness.sockets.serve(server(pick));
      const mtls = await harness.sockets.serveMtls(harness.server, harness.bundle, server(pick));
      const table = (at: string, port: number, tls = false) => {
        const endpoints = [endpoint(port, tls ? { tls: harness.target } : {})];
        return [at, { name: at, host: 'h', ...end, connectTimeoutMs: 500, endpoints }] as const;
      };
      harness.apply({
        clusters: new Map([table(clusterName, plain.port), table('originate', mtls.port, true), table('pass', mtls.port)]),
        plain: new Map([['plain', { clusterName: 'originate', protocol: 'tcp', allow: 'any' }]]),
        sni: new Map([
          [sni, { mode: 'terminate', clusterName, protocol: 'tcp', authz: allowAll, end }],
          [passSni, { mode: 'passthrough', clusterName: 'pass' }],
        ]),
      });
      const [sniPort, plainPort] = [await harness.listenSni(), await harness.listenPlain()];
      const callers = new TestSockets();
      const one = async (i: number) => {
        const transport = await callers.connect(i % 3 === 0 ? plainPort : sniPort);
        if (i % 3 === 0) return client(transport, transport, pick);
        const options = mtlsClientOptions(harness.caller, harness.bundle, harness.target, Date.now);
        const secure = connectTls({ ...options, servername: i % 3 === 1 ? sni : passSni, socket: transport });
        return client(callers.track(secure), transport, pick);
      };
      for (let i = 0; i < 300; i += 60) await Promise.allSettled(Array.from({ length: 60 }, (_, k) => one(i + k)));
      await until('all closed', () => harness.engine.counters().open === 0);
      // One report may stand for several that went alike.
      const told = () => harness.reports.reduce((sum, { count = 1 }) => sum + count, 0);
      await until('all reported', () => told() >= 300);
      const { accepted } = harness.engine.counters();
      const ids = new Set(harness.reports.map((r) => r.id));
      assert.deepEqual([accepted, told(), ids.size], [300, 300, harness.reports.length]);
      assert.equal(harness.reports.filter((r) => r.reason === 'internal').length, 0);
      callers.close();
    });
  });
}
