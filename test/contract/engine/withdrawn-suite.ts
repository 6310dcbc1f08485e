import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { afterEach, describe, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { mtlsClientOptions } from '../../../core/identity/index.ts';
import type { EngineTables, SniRule } from '../../../gateway/engine/contract.ts';
import { helloMessage, inRecords } from '../../support/client-hello-bytes.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, clusterTable, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';

const rules = (names: readonly string[]): Pick<EngineTables, 'sni'> => {
  const allow = { action: 'allow' as const, name: 'callers', principals: [], namespaces: names, clusters: [] };
  const end = { namespace: 'shop', service: 'orders' };
  const rule: SniRule = { mode: 'terminate', clusterName, protocol: 'tcp', authz: { ...allowAll, rules: [allow] }, end };
  return { sni: new Map([[sni, rule]]) };
};

/** Who may come is judged by what holds when it comes, and not by what held when it began to. */
export function withdrawnSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: rights that change while a connection begins`, () => {
    let harness: EngineHarness;
    let reached: string[];
    afterEach(() => harness.close());

    const app = async (text = 'app'): Promise<number> => {
      const { port } = await harness.sockets.serve((socket) => {
        reached.push(text);
        socket.end(text);
      });
      return port;
    };
    const begin = async (): Promise<number> => {
      harness = new EngineHarness(make);
      reached = [];
      harness.endpoints(endpoint(await app()));
      harness.apply(rules(['web']));
      return harness.listenSni();
    };
    const lastReport = () => until('report', () => harness.reports[0]);

    test('a right that is withdrawn during the handshake lets nobody in', async () => {
      const port = await begin();
      const caller = await HeldCaller.connect(harness, port);
      harness.apply(rules(['ops']));
      caller.finish();
      assert.deepEqual([(await lastReport()).reason, reached], ['rbac-denied', []]);
      harness.assertCarried();
    });

    test('a right that is given during the handshake holds', async () => {
      const port = await begin();
      harness.apply(rules(['ops']));
      const caller = await HeldCaller.connect(harness, port);
      harness.apply(rules(['web']));
      caller.finish();
      assert.equal(await caller.all(), 'app');
    });

    test('a service that is taken back during the handshake lets nobody in', async () => {
      const port = await begin();
      const caller = await HeldCaller.connect(harness, port);
      harness.apply({ sni: new Map() });
      caller.finish();
      assert.deepEqual([(await lastReport()).reason, reached], ['rule-changed', []]);
    });

    test('where it leads is what holds at the end of the handshake', async () => {
      const port = await begin();
      const caller = await HeldCaller.connect(harness, port);
      const { sni: now } = rules(['web']);
      const moved = new Map([...now].map(([key, rule]) => [key, { ...rule, clusterName: 'moved' } as SniRule] as const));
      harness.apply({ sni: moved, clusters: new Map([['moved', clusterTable('moved', [endpoint(await app('moved'))])]]) });
      caller.finish();
      assert.equal(await caller.all(), 'moved');
      assert.equal((await lastReport()).clusterName, 'moved');
    });

    test('a right that is withdrawn while an endpoint is tried ends the connection', async () => {
      harness = new EngineHarness(make);
      reached = [];
      const { port: mute } = await harness.sockets.serve(() => {});
      harness.endpoints(endpoint(mute, { tls: harness.target }));
      harness.apply(rules(['web']));
      const client = await harness.sockets.connectMtls(await harness.listenSni(), harness.caller, harness.bundle, harness.target);
      await until('an endpoint is tried', () => harness.sockets.accepted.size > 0);
      harness.apply(rules(['ops']));
      assert.equal((await lastReport()).reason, 'rbac-denied');
      await until('the end', () => client.destroyed);
    });

    test('plain listeners: a source that is withdrawn before its hello is whole is refused', async () => {
      harness = new EngineHarness(make);
      reached = [];
      harness.endpoints(endpoint(await app()));
      const to = [{ destination: { cluster: clusterName }, weight: 1 }];
      const match = { destinationSubnets: [], sniHosts: ['*.example'], sourceLabels: {} };
      const routings = new Map([['r', { virtualHosts: [], l4: [{ name: 'a', matches: [match], destinations: to }] }]]);
      const plain = (allow: readonly string[]) => new Map([['plain', { clusterName, protocol: 'tls' as const, routingName: 'r', allow }]]);
      harness.apply({ routings, plain: plain(['127.0.0.0/8']) });
      const client = await harness.sockets.connect(await harness.listenPlain());
      const hello = inRecords(helloMessage({ names: ['a.example'] }));
      client.write(hello.subarray(0, 20));
      await until('it is there', () => harness.engine.counters().open === 1);
      harness.apply({ plain: plain(['10.0.0.0/8']) });
      client.write(hello.subarray(20));
      assert.deepEqual([(await lastReport()).reason, reached], ['source-denied', []]);
      harness.assertCarried();
    });
  });
}

/** A caller whose last words of the handshake are held back until it is told to finish. */
class HeldCaller {
  readonly #tls: TLSSocket;
  readonly finish: () => void;

  private constructor(tls: TLSSocket, finish: () => void) {
    this.#tls = tls;
    this.finish = finish;
  }

  /** Resolves when only those are missing. */
  static async connect({ sockets, caller, bundle, target }: EngineHarness, port: number): Promise<HeldCaller> {
    const client = await sockets.connect(port);
    const held: Buffer[] = [];
    let state: 'hello' | 'holding' | 'through' = 'hello';
    const link = new Duplex({
      read: () => undefined,
      write: (bytes: Buffer, _encoding, done) => {
        if (state === 'holding') held.push(bytes);
        else client.write(bytes);
        if (state === 'hello') state = 'holding';
        done();
      },
    });
    client.on('data', (bytes: Buffer) => link.push(bytes));
    client.on('end', () => link.push(null));
    client.on('close', () => link.destroy());
    // A group that every build of an engine takes, FIPS too: nobody asks for a second hello, which would be held.
    const tls = connectTls({ ...mtlsClientOptions(caller, bundle, target, Date.now), ecdhCurve: 'P-256', socket: link });
    sockets.track(tls);
    // By TLS 1.3 the client is done before the server is.
    await once(tls, 'secureConnect');
    await until('its last words', () => held.length > 0);
    return new HeldCaller(tls, () => {
      state = 'through';
      for (const bytes of held.splice(0)) client.write(bytes);
    });
  }

  /** Everything that it is told, until the end; it says nothing itself. */
  async all(): Promise<string> {
    const chunks: Buffer[] = [];
    this.#tls.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(this.#tls, 'end');
    this.#tls.end();
    return Buffer.concat(chunks).toString();
  }
}
