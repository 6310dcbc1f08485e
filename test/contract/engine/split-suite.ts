import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import type { L4Match, L4Rule } from '../../../core/traffic/index.ts';
import type { ClusterTable, EngineOptions } from '../../../gateway/engine/contract.ts';
import { pickWeighted, placeOf } from '../../../gateway/routing/index.ts';
import { helloMessage, inRecords } from '../../support/client-hello-bytes.ts';
import { deadPort, readAll } from '../../support/mesh-sockets.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { until } from '../../support/until.ts';
import { clusterTable, EngineHarness, endpoint, type MakeEngine } from './harness.ts';

type Rule = L4Rule<{ readonly cluster: string }>;

const match = (more: Partial<L4Match>): L4Match => ({ destinationSubnets: [], sniHosts: [], sourceLabels: {}, ...more });
const rule = (name: string, destinations: Readonly<Record<string, number>>, matches: readonly L4Match[] = [], byHash?: true): Rule => ({
  name,
  matches,
  destinations: Object.entries(destinations).map(([cluster, weight]) => ({ destination: { cluster }, weight })),
  ...(byHash === undefined ? {} : { byHash }),
});
const hello = (name: string) => inRecords(helloMessage({ names: [name] }));

/** Byte streams of one listener that go to several clusters, by rules and by weight. */
export function splitSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: routes of byte streams`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    /** Clusters whose servers say their names, first. */
    const start = async (names: readonly string[], options: Partial<EngineOptions> = {}, more: Partial<ClusterTable> = {}) => {
      harness = new EngineHarness(make, {}, undefined, { random: seededRandom(7), ...options });
      const clusters = new Map<string, ClusterTable>();
      for (const each of names) {
        const { port } = await harness.sockets.serve((socket) => void socket.end(each));
        clusters.set(each, clusterTable(each, [endpoint(port)], more));
      }
      harness.apply({ clusters });
      return harness.listenPlain();
    };
    const route = (rules: readonly Rule[], protocol: 'tcp' | 'tls' = 'tcp') =>
      harness.apply({
        routings: new Map([['r', { virtualHosts: [], l4: rules }]]),
        plain: new Map([['plain', { clusterName: 'unused', protocol, routingName: 'r', allow: 'any' }]]),
      });
    const ask = async (port: number, first?: Buffer, localAddress = '127.0.0.1'): Promise<string> => {
      const client: Socket = harness.sockets.track(connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true }));
      // An engine may refuse it before it has noticed that it is connected.
      try {
        await once(client, 'connect');
        if (first !== undefined) client.write(first);
        return (await readAll(client)).toString();
      } catch {
        return 'refused';
      } finally {
        client.end();
      }
    };
    const lastReason = async (count: number) => (await until('reports', () => harness.reports[count - 1])).reason;

    test('by weight, none by weight 0, and servers may speak first', async () => {
      const port = await start(['one', 'three', 'none']);
      route([rule('a', { one: 1, none: 0, three: 3 })]);
      const seen = new Map<string, number>();
      for (let i = 0; i < 40; i++) {
        for (const answer of await Promise.all(Array.from({ length: 10 }, () => ask(port)))) seen.set(answer, (seen.get(answer) ?? 0) + 1);
      }
      assert.deepEqual([...seen.keys()].sort(), ['one', 'three']);
      // 400 draws of 1 in 4: four standard deviations are 35.
      const ones = seen.get('one') ?? 0;
      assert.ok(ones > 65 && ones < 135, `${ones} of 400 where 100 are due`);
      const told = () => harness.reports.reduce((sum, { count = 1 }) => sum + count, 0);
      await until('reports', () => told() === 400);
      harness.assertCarried();
    });

    test('the first rule that matches decides: by the address that was dialled, else whatever comes after', async () => {
      const port = await start(['far', 'here', 'rest']);
      const [far, near] = [
        match({ destinationSubnets: ['10.0.0.0/8', 'none'] }),
        match({ destinationSubnets: ['fd00::/8', '127.0.0.0/30'] }),
      ];
      route([rule('a', { far: 1 }, [far]), rule('b', { here: 1 }, [far, near]), rule('c', { rest: 1 })]);
      assert.equal(await ask(port), 'here');
      route([rule('a', { far: 1 }, [far]), rule('c', { rest: 1 })]);
      assert.equal(await ask(port), 'rest');
      // Of a caller that speaks no TLS no name is known.
      route([rule('a', { far: 1 }, [match({ sniHosts: ['a.example'] })]), rule('b', { here: 1 }, [match({ sniHosts: ['*'] })])]);
      assert.equal(await ask(port), 'here');
      harness.assertCarried();
    });

    test('where no rule takes it, and where the rule leads nowhere, the connection is refused with the reason', async () => {
      const port = await start(['here']);
      route([rule('a', { here: 1 }, [match({ destinationSubnets: ['10.0.0.0/8'] })])]);
      assert.equal(await ask(port), 'refused');
      assert.equal(await lastReason(1), 'no-route');
      for (const [i, destinations] of [{ here: 0, '': 0 }, { '': 1 }, { nobody: 1 }].entries()) {
        route([rule('a', destinations)]);
        assert.equal(await ask(port), 'refused');
        assert.equal(await lastReason(2 + i), 'no-cluster');
      }
      assert.deepEqual(
        harness.reports.map(({ flags }) => flags.join()),
        ['NR', 'NC', 'NC', 'NC'],
      );
      harness.assertCarried();
    });

    test('rules for other callers than this one hold nobody', async () => {
      const caller = { namespace: 'web', labels: { app: 'front' } };
      const port = await start(['labels', 'namespace', 'mine'], { caller });
      const others = [match({ sourceLabels: { app: 'back' } }), match({ sourceNamespace: 'ops' })];
      const mine = match({ sourceNamespace: 'web', sourceLabels: { app: 'front' } });
      route([rule('a', { labels: 1 }, others.slice(0, 1)), rule('b', { namespace: 1 }, others), rule('c', { mine: 1 }, [...others, mine])]);
      assert.equal(await ask(port), 'mine');
      harness.assertCarried();
    });

    test('by the name that TLS asks for, exact, by suffix or any; the hello goes on whole, and again where an endpoint fails', async () => {
      const port = await start([]);
      const clusters = new Map<string, ClusterTable>();
      for (const each of ['exact', 'suffix', 'rest']) {
        const { port: app } = await harness.sockets.serve(
          (socket) => void socket.once('data', (bytes) => socket.end(Buffer.concat([Buffer.from(each), bytes]))),
        );
        const { port: closes } = await harness.sockets.serve((socket) => void socket.once('data', () => socket.end()));
        clusters.set(
          each,
          clusterTable(each, [endpoint(closes), endpoint(await deadPort(), { priority: 1 }), endpoint(app, { priority: 2 })]),
        );
      }
      harness.apply({ clusters });
      route(
        [
          rule('a', { exact: 1 }, [match({ sniHosts: ['a.example', 'A2.example'] })]),
          rule('b', { suffix: 1 }, [match({ sniHosts: ['*.example'] })]),
          rule('c', { rest: 1 }),
        ],
        'tls',
      );
      const cases = { 'a.example': 'exact', 'a2.example': 'exact', 'b.example': 'suffix', example: 'rest', 'a.example.org': 'rest' };
      for (const [asked, expected] of Object.entries(cases)) {
        const answer = await ask(port, hello(asked));
        assert.equal(answer, Buffer.concat([Buffer.from(expected), hello(asked)]).toString(), asked);
      }
      // What comes next may end before the last of these has.
      await until('reports', () => harness.reports[Object.keys(cases).length - 1]);
      // In the order of their ends, which need not be that of the answers.
      const report = harness.reports.find(({ sni }) => sni === 'a.example');
      assert.deepEqual([report?.attempts, report?.bytesReceived], [3, hello('a.example').length]);
      assert.equal(await ask(port, Buffer.from('GET / HTTP/1.1\r\n\r\n')), 'refused');
      assert.equal(await lastReason(Object.keys(cases).length + 1), 'hello-not-tls');
      harness.assertCarried();
    });

    test('to an end of mTLS the hello goes within TLS', async () => {
      const port = await start([]);
      const { port: app } = await harness.sockets.serveMtls(
        harness.server,
        harness.bundle,
        (socket) => void socket.once('data', (bytes) => socket.end(bytes)),
      );
      harness.apply({ clusters: new Map([['mesh', clusterTable('mesh', [endpoint(app, { tls: harness.target })])]]) });
      route([rule('a', { mesh: 1 }, [match({ sniHosts: ['*'] })])], 'tls');
      assert.equal(await ask(port, hello('a.example')), hello('a.example').toString());
      harness.assertCarried();
    });

    test('by the source where its clusters are spread so: the same everywhere', async () => {
      const loadBalancer = { type: 'hash', on: { type: 'source-address' }, table: { type: 'ring', minimumRingSize: 64 } } as const;
      const port = await start(['one', 'two'], {}, { traffic: { loadBalancer } });
      const shared = rule('a', { one: 50, two: 50 }, [], true);
      route([shared]);
      const addresses = Array.from({ length: 16 }, (_, i) => `127.0.0.${i + 2}`);
      const expected = addresses.map((address) => pickWeighted(shared.destinations, placeOf(address))?.destination.cluster);
      assert.deepEqual(await Promise.all(addresses.map((address) => ask(port, undefined, address))), expected);
      assert.equal(new Set(expected).size, 2);
      harness.assertCarried();
    });
  });
}
