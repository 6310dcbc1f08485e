import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { type ProxyProtocol, proxyHeader } from '../../../core/proxy-protocol.ts';
import type { ConnectionReport } from '../../../gateway/engine/contract.ts';
import type { EndpointState } from '../../../gateway/state/types.ts';
import { deadPort, readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, clusterTable, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';
import { serveTold, serveToldMtls, type ToldServer } from './told-server.ts';

const end = { namespace: 'shop', service: 'orders' };
const terminating = new Map([[sni, { mode: 'terminate' as const, clusterName, protocol: 'tcp' as const, authz: allowAll, end }]]);
const passthrough = new Map([[sni, { mode: 'passthrough' as const, clusterName }]]);
const plain = new Map([['plain', { clusterName, protocol: 'tcp' as const, allow: 'any' as const }]]);
const callerId = 'spiffe://mesh.test/ns/web/sa/front';

/** Who called is told first to endpoints whose cluster asks for it. */
export function proxySendingSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: PROXY protocol to endpoints`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    const lead = (proxyProtocol: ProxyProtocol, ...endpoints: readonly EndpointState[]) =>
      harness.apply({ clusters: new Map([[clusterName, clusterTable(clusterName, endpoints, { proxyProtocol })]]) });
    const lastReport = (count = 1): Promise<ConnectionReport> => until('report', () => harness.reports[count - 1]);
    const echo = (socket: Socket) => void socket.pipe(socket);
    const exchange = async (client: Socket, text: string): Promise<string> => {
      client.end(text);
      return (await readAll(client)).toString();
    };
    /** The whole header, byte for byte, as the mesh's one writer has it. */
    const assertTold = (told: ToldServer, version: ProxyProtocol, report: ConnectionReport, tls?: { version: string; name: string }) => {
      const { id: uniqueId, source, destination, sni: authority } = report;
      const expected = proxyHeader(version, { uniqueId, source, destination, authority, alpn: '', ...(tls === undefined ? {} : { tls }) });
      assert.deepEqual(
        told.headers.map((header) => header.toString('hex')),
        [expected.toString('hex')],
      );
    };

    for (const version of ['v1', 'v2'] as const) {
      test(`${version}, passthrough: before the caller's hello, with the name that it asks for`, async () => {
        harness = new EngineHarness(make);
        const told = await serveToldMtls(harness.sockets, harness.server, harness.bundle, echo);
        lead(version, endpoint(told.port));
        harness.apply({ sni: passthrough });
        const port = await harness.listenSni();
        const client = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
        const { localPort } = client;
        assert.equal(await exchange(client, 'what was said'), 'what was said');
        const report = await lastReport();
        assert.deepEqual([report.reason, report.source.port, report.destination.port, report.sni], ['', localPort, port, sni]);
        assertTold(told, version, report);
        harness.assertCarried();
      });

      test(`${version}, in the clear: before the first byte of either side, and counted as none`, async () => {
        harness = new EngineHarness(make);
        const told = await serveTold(harness.sockets, (socket) => {
          socket.write('welcome ');
          echo(socket);
        });
        lead(version, endpoint(told.port));
        harness.apply({ plain });
        const client = await harness.sockets.connect(await harness.listenPlain());
        assert.equal(String((await once(client, 'data'))[0]), 'welcome ');
        assert.equal(await exchange(client, 'and thanks'), 'and thanks');
        const report = await lastReport();
        assert.deepEqual([report.reason, report.bytesReceived, report.bytesSent], ['', 10, 18]);
        assertTold(told, version, report);
        harness.assertCarried();
      });

      test(`${version}, from an end of mTLS: with the identity that the caller has proven`, async () => {
        harness = new EngineHarness(make);
        const told = await serveTold(harness.sockets, echo);
        lead(version, endpoint(told.port));
        harness.apply({ sni: terminating });
        const port = await harness.listenSni();
        const client = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
        assert.equal(await exchange(client, 'what was said'), 'what was said');
        assertTold(told, version, await lastReport(), { version: 'TLSv1.3', name: callerId });
        harness.assertCarried();
      });

      test(`${version}, to an end of mTLS: before TLS begins`, async () => {
        harness = new EngineHarness(make);
        const told = await serveToldMtls(harness.sockets, harness.server, harness.bundle, echo);
        lead(version, endpoint(told.port, { tls: harness.target }));
        harness.apply({ plain });
        const client = await harness.sockets.connect(await harness.listenPlain());
        assert.equal(await exchange(client, 'what was said'), 'what was said');
        assertTold(told, version, await lastReport());
        harness.assertCarried();
      });

      test(`${version}: whoever is tried next is told anew`, async () => {
        harness = new EngineHarness(make);
        const closes = await serveTold(harness.sockets, (socket) => socket.destroy());
        const answers = await serveToldMtls(harness.sockets, harness.server, harness.bundle, echo);
        lead(version, endpoint(closes.port), endpoint(answers.port, { priority: 1 }));
        harness.apply({ sni: passthrough });
        const client = await harness.sockets.connectMtls(await harness.listenSni(), harness.caller, harness.bundle, harness.target);
        assert.equal(await exchange(client, 'what was said'), 'what was said');
        const report = await lastReport();
        assert.equal(report.attempts, 2);
        assertTold(closes, version, report);
        assertTold(answers, version, report);
        harness.assertCarried();
      });

      test(`${version}: a look whether anybody answers is nobody's call`, async () => {
        harness = new EngineHarness(make);
        const told = await serveTold(harness.sockets, echo);
        const [dead, alive] = [endpoint(await deadPort()), endpoint(told.port)];
        lead(version, dead, alive);
        const ejected = new Set([dead, alive].map((each) => `${clusterName} 127.0.0.1:${each.port}`));
        harness.apply({ sni: terminating, ejected });
        const client = await harness.sockets.connectMtls(await harness.listenSni(), harness.caller, harness.bundle, harness.target);
        assert.equal(await exchange(client, 'what was said'), 'what was said');
        const report = await lastReport();
        assert.equal(report.outcome, 'forward');
        await until('both headers', () => told.headers.length === 2);
        assert.equal(told.headers[0]?.toString('hex'), proxyHeader(version, undefined).toString('hex'));
        told.headers.shift();
        assertTold(told, version, report, { version: 'TLSv1.3', name: callerId });
        // The look and the call each say what became of the endpoints.
        const results = harness.attempts.map(({ endpoint: each, result }) => `${each === dead ? 'dead' : 'alive'} ${result}`);
        assert.equal(results[0], 'dead connect');
        assert.equal(results.filter((each) => each === 'alive ok').length, 2);
        harness.assertCarried();
      });
    }
  });
}
