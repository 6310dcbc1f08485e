import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import type { AuthzRule, MtlsMode } from '../../../core/authz/index.ts';
import type { ConnectionReport } from '../../../gateway/engine/index.ts';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { ExposedPort, end, name, ofNobody, ofWest, usual } from './exposed-port.ts';
import { EngineHarness, type MakeEngine, type MoreOfEngine, authzRule as rule } from './harness.ts';

/** Who comes to a service's own port without mesh: what is made of them, when they come and for as long as they stand. */
export function inTheClearSuite(engine: string, make: MakeEngine): void {
  describe(`engine ${engine}: callers in the clear`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    const open = (...more: MoreOfEngine): ExposedPort => {
      harness = new EngineHarness(make, ...more);
      return new ExposedPort(harness);
    };

    test('rules judge callers in the clear as nobody, by their address', async () => {
      const exposed = open({ quietMs: 150 });
      await exposed.echo();
      const port = await exposed.listen();
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
        exposed.put('permissive', 'tcp', [one]);
        assert.equal((await exposed.answerTo(port, Buffer.from('ping'))).toString(), isIn ? 'ping' : '', JSON.stringify(one));
      }
      exposed.put('permissive', 'tcp', usual, 81);
      assert.equal((await exposed.answerTo(port, Buffer.from('ping'))).toString(), '', 'another port than the one that is open');
      const { reason, detail, flags, end: of } = await exposed.lastReport(table.length + 1);
      const denied = 'plaintext from 127.0.0.1: rbac_access_denied_matched_policy[none]';
      assert.deepEqual([reason, detail, flags, of], ['rbac-denied', denied, [], end]);
      harness.assertCarried();
    });

    test('who waits with its first bytes meets the rules that hold when they come', async () => {
      const exposed = open({ helloTimeoutMs: 5_000, quietMs: 5_000 });
      await exposed.echo();
      const port = await exposed.listen();
      const steps: readonly [before: MtlsMode, change: () => void, said: string][] = [
        ['strict', () => exposed.put('permissive'), 'ping'],
        ['permissive', () => exposed.put('strict'), 'plaintext-refused'],
        ['permissive', () => exposed.put('permissive', 'tcp', [ofWest]), 'rbac-denied'],
        ['permissive', () => harness.apply({ exposed: new Map() }), 'no-route'],
      ];
      for (const [i, [before, change, said]] of steps.entries()) {
        exposed.put(before);
        const client = await harness.sockets.connect(port);
        await until('accept', () => (harness.engine.counters().open === 1 ? true : undefined));
        change();
        const answer = readAll(client).catch(() => Buffer.alloc(0));
        client.end('ping');
        const text = (await answer).toString();
        assert.equal(text === '' ? (await exposed.lastReport(i + 1)).reason : text, said);
        await exposed.lastReport(i + 1);
      }
      harness.assertCarried();
    });

    test('callers in the clear are told of one by one, however many begin at once', async () => {
      const begun: ConnectionReport[] = [];
      const exposed = open({}, undefined, { onForward: (report) => begun.push(report) });
      await exposed.echo();
      const port = await exposed.listen();
      exposed.put('permissive');
      const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.2', '127.0.0.3'];
      const clients = addresses.map((localAddress) => harness.sockets.track(connect({ port, host: '127.0.0.1', localAddress })));
      for (const client of clients) client.write('a');
      await Promise.all(clients.map((client) => once(client, 'data')));
      await until('beginnings', () => begun[addresses.length - 1]);
      assert.deepEqual(begun.map(({ source }) => source.address).sort(), addresses);
      for (const client of clients) client.end();
      await exposed.lastReport(addresses.length);
      const ids = (of: readonly ConnectionReport[]) => of.map(({ id }) => id).sort();
      assert.deepEqual(ids(harness.reports), ids(begun));
      harness.assertCarried();
    });

    test('a proxy in front says whose a connection in the clear is', async () => {
      const exposed = open({ quietMs: 5_000 });
      await exposed.echo();
      const acceptProxy = { trusted: ['127.0.0.0/8'] };
      const { port } = await harness.engine.listen({ name, address: '127.0.0.1', port: 0, kind: 'exposed', acceptProxy });
      const fromTen = rule({ when: { kind: 'test', attribute: 'source-ip', names: [], patterns: ['10.0.0.0/8'] } });
      const header = (address: string) => `PROXY TCP4 ${address} 198.51.100.1 40000 80\r\n`;
      const table: readonly [MtlsMode, string, string][] = [
        ['permissive', '10.1.2.3', 'ping'],
        ['disable', '10.1.2.3', 'ping'],
        ['permissive', '11.1.2.3', 'rbac-denied'],
        ['strict', '10.1.2.3', 'plaintext-refused'],
      ];
      for (const [i, [mode, address, said]] of table.entries()) {
        exposed.put(mode, 'tcp', [fromTen]);
        const answer = (await exposed.answerTo(port, Buffer.from(`${header(address)}ping`))).toString();
        const { reason, source } = await exposed.lastReport(i + 1);
        assert.deepEqual([answer === '' ? reason : answer, source.address], [said, address]);
      }
      harness.assertCarried();
    });

    test('streams in the clear end with STRICT, and with rules that refuse them; mTLS beside them goes on', async () => {
      const exposed = open({ quietMs: 150 });
      await exposed.echo();
      const port = await exposed.listen();
      for (const [change, reason] of [
        [() => exposed.put('strict'), 'plaintext-refused'],
        [() => exposed.put('permissive', 'tcp', [ofWest]), 'rbac-denied'],
      ] as const) {
        exposed.put('permissive');
        const before = harness.reports.length;
        const clear = await harness.sockets.connect(port);
        const secure = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
        for (const client of [clear, secure]) {
          client.write('a');
          await once(client, 'data');
        }
        clear.on('error', () => {});
        change();
        assert.equal((await exposed.lastReport(before + 1)).reason, reason);
        secure.write('b');
        assert.equal(String((await once(secure, 'data'))[0]), 'b');
        secure.destroy();
        await exposed.lastReport(before + 2);
      }
      harness.assertCarried();
    });
  });
}
