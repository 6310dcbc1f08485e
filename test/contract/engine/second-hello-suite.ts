import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';

/** No engine's first hello has a key of it, so that it is asked for another hello. */
const serverGroup = 'P-384';
/** The first is none that rustls knows, so that it asks for another hello. */
const callerGroups = 'P-521:P-256';

/** Peers that ask for a second hello (HelloRetryRequest, RFC 8446 §4.1.4), as Envoy does of whoever has not offered a key of the group that it likes best. */
export function secondHelloSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: handshakes that take a second hello`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    const echo = (socket: Socket) => void socket.pipe(socket);
    const serve = async (): Promise<number> =>
      (await harness.sockets.serveMtls(harness.server, harness.bundle, echo, [], serverGroup)).port;
    const said = async (client: Socket): Promise<string> => {
      const all = readAll(client);
      client.end('hello');
      // What an engine gives is paused.
      client.resume();
      return String(await all);
    };
    const carried = async (): Promise<void> => {
      const report = await until('report', () => harness.reports[0]);
      assert.deepEqual([report.reason, report.outcome], ['', 'forward']);
      harness.assertCarried();
    };

    test('a byte stream to an endpoint', async () => {
      harness = new EngineHarness(make);
      harness.endpoints(endpoint(await serve(), { tls: harness.target }));
      harness.apply({ plain: new Map([['plain', { clusterName, protocol: 'tcp' as const, allow: 'any' as const }]]) });
      assert.equal(await said(await harness.sockets.connect(await harness.listenPlain())), 'hello');
      await carried();
    });

    test('a dial', async () => {
      harness = new EngineHarness(make);
      const request = { clusterName, endpoint: endpoint(await serve(), { tls: harness.target }), connectTimeoutMs: 5_000, alpn: [] };
      const result = await harness.engine.dial(request);
      assert.ok(result.ok, result.ok ? '' : result.reason);
      assert.equal(await said(harness.sockets.track(result.socket as Socket)), 'hello');
    });

    for (const [what, groups] of [
      ['passthrough', serverGroup],
      ['an end of mTLS', callerGroups],
    ] as const) {
      test(`a caller of ${what}`, async () => {
        harness = new EngineHarness(make);
        const passed = what === 'passthrough';
        harness.endpoints(endpoint(passed ? await serve() : (await harness.sockets.serve(echo)).port));
        const end = { namespace: 'shop', service: 'orders' };
        const rule = { mode: 'terminate' as const, clusterName, protocol: 'tcp' as const, authz: allowAll, end };
        harness.apply({ sni: new Map([[sni, passed ? { mode: 'passthrough' as const, clusterName } : rule]]) });
        const offered = passed ? `X25519:${groups}` : groups;
        const port = await harness.listenSni();
        const client = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target, offered);
        assert.equal(await said(client), 'hello');
        await carried();
      });
    }
  });
}
