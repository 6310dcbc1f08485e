import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { SniRule } from '../../../gateway/engine/contract.ts';
import type { EndpointState } from '../../../gateway/state/types.ts';
import { helloMessage, inRecords } from '../../support/client-hello-bytes.ts';
import { deadPort, readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';

const end = { namespace: 'shop', service: 'orders' };
const rule: SniRule = { mode: 'terminate', clusterName, protocol: 'tcp', authz: allowAll, end };

/** Ends of mTLS behind which nobody has answered lately. */
export function downSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: services that are down`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    /** All of them under suspicion. */
    const suspect = async (...endpoints: readonly EndpointState[]): Promise<number> => {
      harness.endpoints(...endpoints);
      const ejected = new Set(endpoints.map(({ address, port }) => `${clusterName} ${address}:${port}`));
      harness.apply({ sni: new Map([[sni, rule]]), ejected });
      return harness.listenSni();
    };
    /** Bytes that came in answer to a hello, until the connection was broken off. */
    const answered = async (port: number): Promise<number> => {
      const client = await harness.sockets.connect(port);
      client.write(inRecords(helloMessage({ names: [sni] })));
      let bytes = 0;
      client.on('data', (chunk) => {
        bytes += chunk.length;
      });
      await until('the end', () => client.destroyed);
      return bytes;
    };
    const results = () => harness.attempts.map(({ result }) => result);

    test('none answers, none proves who it must be, or there are none: refused before the handshake', async () => {
      harness = new EngineHarness(make, { handshakeTimeoutMs: 300 });
      const { port: mute } = await harness.sockets.serve(() => {});
      const imposter = harness.pki.svid('east', 'shop', 'other');
      const { port: wrong } = await harness.sockets.serveMtls(imposter, harness.bundle, (socket) => void socket.end('app'));
      const tls = harness.target;
      const port = await suspect(endpoint(await deadPort()), endpoint(wrong, { tls }), endpoint(mute, { tls }));
      assert.equal(await answered(port), 0, 'so that whoever is in front may try elsewhere');
      await until('report', () => harness.reports.length === 1);
      harness.endpoints();
      assert.equal(await answered(port), 0);
      await until('reports', () => harness.reports.length === 2);
      assert.deepEqual(results().slice(0, 2), ['connect', 'tls']);
      harness.assertCarried();
    });

    test('the first that answers is enough, and the caller is served as ever', async () => {
      harness = new EngineHarness(make);
      const { port: app } = await harness.sockets.serve((socket) => void socket.pipe(socket));
      const port = await suspect(endpoint(await deadPort()), endpoint(app), endpoint(await deadPort()));
      const client = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
      // Engines may tell of attempts later, and of alike ones together.
      await until('the look', () => results().includes('ok'));
      assert.equal(results()[0], 'connect');
      client.end('what was said');
      assert.equal((await readAll(client)).toString(), 'what was said');
      const report = await until('report', () => harness.reports[0]);
      assert.deepEqual([report.outcome, report.reason, report.upstream?.port, report.bytesReceived], ['forward', '', app, 13]);
      assert.deepEqual([...harness.engine.counters().inUse], []);
      harness.assertCarried();
    });
  });
}
