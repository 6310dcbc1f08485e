import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, test } from 'node:test';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { AuthzRule } from '../../../core/authz/index.ts';
import { makeSvid, type Svid } from '../../../core/identity/index.ts';
import { certificatesToPem, keyToPem } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import type { ConnectionReport, EngineTables } from '../../../gateway/engine/contract.ts';
import { helloMessage, inRecords } from '../../support/client-hello-bytes.ts';
import { ForeignDomain } from '../../support/foreign-domain.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { deadPort, readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, EngineHarness, endpoint, type MakeEngine, authzRule as rule, sni } from './harness.ts';

const end = { namespace: 'shop', service: 'orders' };
const any = { principals: [], namespaces: [], clusters: [], notPrincipals: [], notNamespaces: [] };
const terminating = (rules = allowAll.rules): Pick<EngineTables, 'sni'> => ({
  sni: new Map([[sni, { mode: 'terminate', clusterName, protocol: 'tcp', authz: { name: 'shop/orders', rules }, end }]]),
});
const plain = (allow: readonly string[] | 'any' = 'any') => new Map([['plain', { clusterName, protocol: 'tcp' as const, allow }]]);

/** Who and what is let in and out. */
export function borderSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: border`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    const lastReport = (count = 1): Promise<ConnectionReport> => until('report', () => harness.reports[count - 1]);
    const echo = async () => {
      const { port } = await harness.sockets.serve((socket) => socket.pipe(socket));
      harness.endpoints(endpoint(port));
    };
    /** What an mTLS end behind `sni` makes of this caller. */
    const knock = async (port: number, svid: Svid, text = 'ping'): Promise<string> => {
      const client = await harness.sockets.connectMtls(port, svid, harness.bundle, harness.target);
      client.end(text);
      return (await readAll(client)).toString();
    };

    /** A whole one, by somebody who never hears what is answered. */
    const sayHello = (client: Socket): TLSSocket => {
      const deaf = new Duplex({ read: () => undefined, write: (bytes: Buffer, _encoding, done) => void client.write(bytes, done) });
      return connectTls({ socket: deaf, servername: sni }).on('error', () => undefined);
    };

    /** A reset that comes together with session tickets looks like an end to Node, so what counts is that nothing came. */
    const nothing = (answer: Promise<string | Buffer>): Promise<string> => answer.then(String, () => '');

    test('hellos that are none, unknown names, no name: closed, counted by reason', async () => {
      harness = new EngineHarness(make, { helloTimeoutMs: 300, maxHelloBytes: 2_000 });
      const port = await harness.listenSni();
      const cases: readonly [bytes: Buffer, reason: string, ends: boolean][] = [
        [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'hello-not-tls', false],
        [inRecords(helloMessage({ names: ['unknown.example'] }), [5, 6, 7]), 'unknown-sni', false],
        [inRecords(helloMessage({})), 'no-sni', false],
        [inRecords(helloMessage({ names: [sni, 'b'] })), 'hello-multiple-names', false],
        [inRecords(helloMessage({ names: [sni], others: [[9_999, Buffer.alloc(4_000)]] })), 'hello-oversized', false],
        [inRecords(helloMessage({ names: [sni] })).subarray(0, 60), 'hello-incomplete', true],
        [inRecords(helloMessage({ names: [sni] })).subarray(0, 60), 'hello-timeout', false],
        [Buffer.alloc(0), 'hello-timeout', false],
      ];
      for (const [i, [bytes, reason, ends]] of cases.entries()) {
        const client = await harness.sockets.connect(port);
        client.write(bytes);
        if (ends) client.end();
        await assert.rejects(readAll(client));
        const report = await lastReport(i + 1);
        assert.deepEqual([report.reason, report.outcome], [reason, 'refused']);
      }
      assert.equal(harness.engine.counters().ended.get('hello-timeout'), 2);
      assert.equal(harness.engine.counters().open, 0);
    });

    test('who leaves in the middle of a handshake, by FIN or by reset, is let go of at once', async () => {
      harness = new EngineHarness(make);
      await echo();
      harness.apply(terminating());
      const port = await harness.listenSni();
      for (const [i, leave] of [(client: Socket) => client.end(), (client: Socket) => client.resetAndDestroy()].entries()) {
        const client = await harness.sockets.connect(port);
        const tls = sayHello(client);
        await once(client, 'data');
        leave(client);
        // Much sooner than the handshake's own limit, 10 s, which no test here waits for.
        assert.equal((await lastReport(i + 1)).reason, 'handshake-failed');
        tls.destroy();
      }
      assert.equal(harness.engine.counters().open, 0);
    });

    test('who says hello and goes on no further is let go of at the limit of a handshake, whichever end is silent', async () => {
      harness = new EngineHarness(make, { handshakeTimeoutMs: 300, helloTimeoutMs: 60_000, idleTimeoutMs: 60_000 });
      const { port: silent } = await harness.sockets.serve((socket) => socket.resume());
      harness.endpoints(endpoint(silent));
      const port = await harness.listenSni();
      for (const [i, tables] of [terminating(), { sni: new Map([[sni, { mode: 'passthrough' as const, clusterName }]]) }].entries()) {
        harness.apply(tables);
        const client = await harness.sockets.connect(port);
        const begun = performance.now();
        const tls = sayHello(client.resume());
        const report = await lastReport(i + 1);
        assert.equal(report.reason, 'handshake-timeout', report.detail);
        assert.ok(performance.now() - begun >= 290, 'not before');
        await until('a close', () => client.closed);
        tls.destroy();
      }
      assert.equal(harness.engine.counters().open, 0);
    });

    test('callers who do not prove who they are, never reach the app', async () => {
      harness = new EngineHarness(make);
      let reached = 0;
      const { port: app } = await harness.sockets.serve((socket) => {
        reached += 1;
        socket.end('app');
      });
      harness.endpoints(endpoint(app));
      harness.apply(terminating());
      const port = await harness.listenSni();
      const { pki } = harness;
      const svidOf = (names: { uris: string[]; dns: string[] }) => {
        const { chain, key } = pki.forged('west', names);
        const made = makeSvid(chain, key);
        return made.ok ? made.value : { ...harness.caller, chainPem: '', chainDer: chain, key };
      };
      const uri = 'spiffe://mesh.test/ns/web/sa/front';
      const stranger = new MeshPki('mesh.test');
      const callers: readonly [string, Svid][] = [
        ['another trust domain', new MeshPki('other.test').svid('west', 'web', 'front')],
        ['the same name under another root', stranger.svid('west', 'web', 'front')],
        ["another cluster's name", svidOf({ uris: [uri], dns: ['east.cluster.mesh.test'] })],
        ['two URI SANs', svidOf({ uris: [uri, 'spiffe://mesh.test/ns/ops/sa/admin'], dns: ['west.cluster.mesh.test'] })],
        ['expired', pki.svid('west', 'web', 'front', { now: Date.now() - 7_200_000, lifetimeMs: 60_000 })],
      ];
      for (const [what, svid] of callers) assert.equal(await nothing(knock(port, svid)), '', what);
      assert.equal(await nothing(knockWithout(port, 'dns')), '');
      assert.equal(await nothing(knockWithout(port, 'certificate')), '');
      await until('reports', () => harness.reports.length === callers.length + 2);
      assert.deepEqual([...new Set(harness.reports.map((r) => r.reason))], ['peer-refused']);
      assert.equal(reached, 0);
      assert.equal(await knock(port, harness.caller), 'app');
    });

    async function knockWithout(port: number, what: 'dns' | 'certificate'): Promise<Buffer> {
      const transport = await harness.sockets.connect(port);
      const { certificatesToPem, keyToPem } = await import('../../../core/pki/index.ts');
      const forged = harness.pki.forged('west', { uris: ['spiffe://mesh.test/ns/web/sa/front'], dns: [] });
      const own = what === 'dns' ? { cert: certificatesToPem(forged.chain), key: keyToPem(forged.key) } : {};
      const client = connectTls({ socket: transport, servername: sni, rejectUnauthorized: false, ...own });
      harness.sockets.track(client);
      client.end('ping');
      return readAll(client);
    }

    test('servers who do not prove who they are get not a byte', async () => {
      harness = new EngineHarness(make);
      const { pki } = harness;
      let got = 0;
      const serve = async (svid: Svid, bundle = harness.bundle) =>
        (
          await harness.sockets.serveMtls(svid, bundle, (socket) => {
            socket.on('data', (chunk) => {
              got += chunk.length;
            });
          })
        ).port;
      const foreign = new MeshPki('other.test');
      const twin = new MeshPki('mesh.test');
      const wrong: readonly [string, number][] = [
        ['another service account', await serve(pki.svid('east', 'shop', 'other'))],
        ['another cluster', await serve(pki.svid('west', 'shop', 'orders'))],
        ['another trust domain', await serve(foreign.svid('east', 'shop', 'orders'), foreign.bundle)],
        ['another root', await serve(twin.svid('east', 'shop', 'orders'), twin.bundle)],
        ['plaintext', (await harness.sockets.serve((socket) => socket.end('hello'))).port],
      ];
      harness.apply({ plain: plain() });
      const port = await harness.listenPlain();
      for (const [i, [what, server]] of wrong.entries()) {
        harness.endpoints(endpoint(server, { tls: harness.target }));
        const call = async () => {
          const client = await harness.sockets.connect(port);
          client.write('secret');
          return readAll(client);
        };
        // An engine may refuse it before it has noticed that it is connected.
        await assert.rejects(call(), what);
        assert.equal((await lastReport(i + 1)).reason, 'upstream-tls', what);
      }
      assert.equal(got, 0);
    });

    test('a server of another trust domain is who it should be by that domain’s bundle alone, is shown our SVID, and nobody without a bundle', async () => {
      harness = new EngineHarness(make);
      const partner = await ForeignDomain.create('partner.test');
      const third = await ForeignDomain.create('third.test');
      const wanted = 'spiffe://partner.test/pay/ments';
      let got = 0;
      const callers: string[] = [];
      const serve = async (leaf: { readonly chain: readonly Buffer[]; readonly key: KeyObject }) => {
        const options = { cert: certificatesToPem(leaf.chain), key: keyToPem(leaf.key), requestCert: true, rejectUnauthorized: false };
        const server = createTlsServer(options, (socket) => {
          callers.push(socket.getPeerX509Certificate()?.subjectAltName ?? '');
          socket.on('error', () => undefined);
          socket.on('data', (chunk: Buffer) => {
            got += chunk.length;
            socket.end('hello');
          });
        });
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        servers.push(server);
        return (server.address() as AddressInfo).port;
      };
      const servers: TlsServer[] = [];
      const others = [partner.bundle, third.bundle];
      const tls = { sni: 'payments.partner.test', uriSans: [wanted], clusterSan: '', trustDomain: 'partner.test' };
      harness.apply({ plain: plain(), trust: { ...harness.bundle, others } });
      const port = await harness.listenPlain();
      const call = async (server: number, demanded: NonNullable<ReturnType<typeof endpoint>['tls']> = tls) => {
        harness.endpoints(endpoint(server, { tls: demanded }));
        const called = async () => {
          const client = await harness.sockets.connect(port);
          client.end('secret');
          return readAll(client);
        };
        // An engine may refuse it before it has noticed that it is connected.
        return called().then(String, () => 'refused');
      };
      try {
        const right = await serve(await partner.leaf({ uris: [wanted] }));
        assert.equal(await call(right), 'hello');
        assert.deepEqual(callers, [`URI:spiffe://mesh.test/ns/shop/sa/orders, DNS:east.cluster.mesh.test`]);
        assert.equal(await call(await serve(await partner.leaf({ uris: [wanted] }, await partner.signer({ pathLength: 0 })))), 'hello');
        assert.equal(await call(right, { ...tls, sni: '' }), 'hello');
        got = 0;
        const own = harness.pki.forged('east', { uris: [wanted], dns: ['east.cluster.mesh.test'] });
        const wrong: readonly [string, number, typeof tls?][] = [
          ['another identity of it', await serve(await partner.leaf({ uris: ['spiffe://partner.test/pay/other'] }))],
          ['one that is longer', await serve(await partner.leaf({ uris: [`${wanted}/more`] }))],
          ['two identities', await serve(await partner.leaf({ uris: [wanted, 'spiffe://partner.test/x'] }))],
          ['its name by our authority', await serve(own)],
          ['its name by a third authority', await serve(await third.leaf({ uris: [wanted] }))],
          ['our name by its authority', await serve(await partner.leaf({ uris: ['spiffe://mesh.test/ns/shop/sa/orders'] }))],
          [
            'its name by another root of the same domain',
            await serve(await (await ForeignDomain.create('partner.test')).leaf({ uris: [wanted] })),
          ],
          ['an expired one', await serve(await partner.leaf({ uris: [wanted], notAfter: new Date(Date.now() - 1_000).getTime() }))],
          ['the mesh’s own server', await serve({ chain: harness.server.chainDer, key: harness.server.key })],
          ['a foreign server where one of ours is meant', right, { ...harness.target, trustDomain: '' }],
          ['a foreign server where one of a cluster is meant', right, { ...tls, clusterSan: 'east.cluster.mesh.test', trustDomain: '' }],
        ];
        const before = 3;
        assert.equal((await lastReport(before)).reason, '');
        for (const [i, [what, server, demanded]] of wrong.entries()) {
          assert.equal(await call(server, demanded), 'refused', what);
          assert.equal((await lastReport(before + i + 1)).reason, 'upstream-tls', what);
        }
        harness.apply({ trust: { ...harness.bundle, others: [third.bundle] } });
        assert.equal(await call(right), 'refused');
        const { reason, detail } = await lastReport(before + wrong.length + 1);
        assert.equal(reason, 'upstream-tls');
        assert.match(detail ?? '', /no bundle of the trust domain partner\.test is known here: name it in a FederatedTrustDomain/);
        assert.equal(got, 0, 'and nobody of them was told anything');
      } finally {
        for (const server of servers) server.close();
      }
    });

    test('authorisation by principal, namespace and cluster; DENY wins; nobody without a rule', async () => {
      harness = new EngineHarness(make);
      await echo();
      const port = await harness.listenSni();
      const cases: readonly [rules: readonly AuthzRule[], allowed: boolean][] = [
        [[], false],
        [[rule({})], true],
        [[rule({ principals: ['mesh.test/ns/web/sa/front'] })], true],
        [[rule({ principals: ['*/sa/front'], namespaces: ['web'], clusters: ['west'] })], true],
        [[rule({ principals: ['mesh.test/ns/web/*'], clusters: ['east'] })], false],
        [[rule({ namespaces: ['we'] })], false],
        [[rule({ also: [{ ...any, principals: ['*/sa/front'] }] })], true],
        [
          [
            rule({
              clusters: ['west'],
              also: [
                { ...any, namespaces: ['web'] },
                { ...any, clusters: ['east'] },
              ],
            }),
          ],
          false,
        ],
        [
          [
            rule({
              also: [
                { ...any, notNamespaces: ['shop'] },
                { ...any, notPrincipals: ['*/sa/back'] },
              ],
            }),
          ],
          true,
        ],
        [[rule({ also: [{ ...any, notPrincipals: ['mesh.test/*'] }] })], false],
        [[rule({}), rule({ action: 'deny', name: 'others', also: [{ ...any, notNamespaces: ['web'] }] })], true],
        [[rule({}), rule({ action: 'deny', name: 'no-west', clusters: ['west'] })], false],
      ];
      for (const [i, [rules, allowed]] of cases.entries()) {
        harness.apply(terminating(rules));
        if (allowed) assert.equal(await knock(port, harness.caller), 'ping');
        else assert.equal(await nothing(knock(port, harness.caller)), '');
        assert.equal((await lastReport(i + 1)).reason, allowed ? '' : 'rbac-denied');
      }
      assert.match(harness.reports.at(-1)?.detail ?? '', /rbac_access_denied_matched_policy\[no-west\]/);
    });

    test('a session that is resumed proves no less than a new one: who was taken back since is refused', async () => {
      harness = new EngineHarness(make);
      await echo();
      const port = await harness.listenSni();
      const { mtlsClientOptions } = await import('../../../core/identity/index.ts');
      let calls = 0;
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        harness.apply({ ...terminating(), trust: harness.bundle });
        const caller = harness.pki.svid('west', 'web', 'front');
        const options = { ...mtlsClientOptions(caller, harness.bundle, harness.target, Date.now), maxVersion };
        let session: Buffer | undefined;
        const call = async (): Promise<string> => {
          calls += 1;
          const transport = await harness.sockets.connect(port);
          const client = harness.sockets.track(
            connectTls({ ...options, socket: transport, ...(session === undefined ? {} : { session }) }),
          );
          const heard = readAll(client).then(String, () => '');
          client.on('session', (each: Buffer) => {
            session = each;
          });
          client.once('secureConnect', () => {
            // The node engine gives no tickets at all.
            assert.equal(client.isSessionReused(), name === 'native' && session !== undefined);
            client.end('x');
          });
          return heard;
        };
        for (let i = 0; i < 2; i++) {
          assert.equal(await call(), 'x', `${maxVersion}, call ${i}`);
          assert.equal((await lastReport(calls)).peer?.serial, caller.serial);
        }
        harness.apply({ trust: { ...harness.bundle, deniedSerials: [caller.serial] } });
        assert.equal(await call(), '', `${maxVersion}: its holder was taken back`);
        assert.equal((await lastReport(calls)).reason, 'peer-refused');
      }
    });

    test('a denied serial ends what its holder has open, and nothing of others; its next connection is refused', async () => {
      harness = new EngineHarness(make);
      await echo();
      harness.apply(terminating());
      const port = await harness.listenSni();
      const running = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
      const other = await harness.sockets.connectMtls(port, harness.pki.svid('west', 'web', 'front'), harness.bundle, harness.target);
      // Both are served: what is reset right after its handshake can look like an end to Node's readers.
      for (const each of [running, other]) {
        each.write('in');
        await once(each, 'data');
      }
      const cut = assert.rejects(readAll(running));
      harness.apply({ trust: { ...harness.bundle, deniedSerials: [harness.caller.serial] } });
      assert.equal(await nothing(knock(port, harness.caller)), '');
      assert.equal(await knock(port, harness.pki.svid('west', 'web', 'front')), 'ping');
      await cut;
      other.end('still here');
      assert.equal((await readAll(other)).toString(), 'still here');
    });

    test('plain listeners take named sources only', async () => {
      harness = new EngineHarness(make);
      await echo();
      harness.apply({ plain: plain([]) });
      const port = await harness.listenPlain();
      const call = async (address?: string) => {
        const client = await harness.sockets.connect(port, address);
        client.end('hi');
        return (await readAll(client)).toString();
      };
      await assert.rejects(call());
      harness.apply({ plain: plain(['10.0.0.0/8', 'nonsense', 'fd00::/8']) });
      await assert.rejects(call());
      assert.equal((await lastReport(2)).reason, 'source-denied');
      harness.apply({ plain: plain(['10.0.0.0/8', '127.0.0.0/8']) });
      assert.equal(await call(), 'hi');
    });

    test('caps in all and by source', async () => {
      harness = new EngineHarness(make, { maxConnections: 3, maxConnectionsPerSource: 2 });
      await echo();
      harness.apply({ plain: plain() });
      const port = await harness.listenPlain();
      const one = await harness.sockets.connect(port);
      const two = await harness.sockets.connect(port);
      await until('both in', () => harness.engine.counters().open === 2);
      const third = harness.sockets.connect(port).then(readAll);
      await assert.rejects(third);
      assert.deepEqual([(await lastReport()).reason, harness.reports[0]?.flags], ['too-many-from-source', ['UO']]);
      await until('the operator to be told', () => harness.troubles.some(({ what }) => what === 'too-many-from-source'));
      one.end();
      await readAll(one);
      await until('a place', () => harness.engine.counters().open === 1);
      const three = await harness.sockets.connect(port);
      three.end('in');
      assert.equal((await readAll(three)).toString(), 'in');
      two.destroy();
    });

    test('configuration changes under running connections touch none of them', async () => {
      harness = new EngineHarness(make);
      await echo();
      harness.apply({ ...terminating(), plain: plain() });
      const mtls = await harness.sockets.connectMtls(await harness.listenSni(), harness.caller, harness.bundle, harness.target);
      const tcp = await harness.sockets.connect(await harness.listenPlain());
      const got: string[] = ['', ''];
      for (const [i, socket] of [mtls, tcp].entries()) {
        socket.on('data', (chunk) => {
          got[i] += chunk;
        });
      }
      // Led where they go before anything changes: an engine may do that on a thread of its own.
      mtls.write('begun ');
      tcp.write('begun ');
      await until('both to be served', () => got[0] === 'begun ' && got[1] === 'begun ');
      for (let i = 0; i < 20; i++) {
        mtls.write(`${i} `);
        tcp.write(`${i} `);
        if (i % 3 === 0) harness.apply({ sni: new Map(), plain: new Map(), clusters: new Map() });
        else harness.apply({ ...terminating(), plain: plain([]), svid: harness.pki.svid('east', 'shop', 'orders') });
        await until(`echo ${i}`, () => got[0]?.endsWith(`${i} `) && got[1]?.endsWith(`${i} `));
      }
      assert.equal(harness.reports.length, 0);
      // But for rules that refuse the peer now: a byte stream is judged anew when they change.
      const cut = assert.rejects(readAll(mtls));
      harness.apply({ ...terminating([]), plain: plain([]) });
      await cut;
      tcp.end('last');
      await until('the end of the other', () => got[1]?.endsWith('last'));
    });

    test('drain: nothing new, what runs ends by itself or is forced at the deadline', async () => {
      harness = new EngineHarness(make);
      await echo();
      harness.apply({ plain: plain() });
      const port = await harness.listenPlain();
      const quick = await harness.sockets.connect(port);
      const stuck = await harness.sockets.connect(port);
      await until('both in', () => harness.engine.counters().open === 2);
      const drained = harness.engine.drain(3_000);
      const late = await harness.sockets.connect(port).catch(() => undefined);
      if (late !== undefined) await assert.rejects(readAll(late));
      quick.end('finish');
      assert.equal((await readAll(quick)).toString(), 'finish');
      const broken = assert.rejects(readAll(stuck));
      await drained;
      await broken;
      await until('reports', () => harness.reports.length === 2);
      assert.deepEqual(
        harness.reports.map((r) => r.reason),
        ['', 'drain-forced'],
      );
    });

    test('a port that is taken is said, with its cause', async () => {
      harness = new EngineHarness(make);
      const { port } = await harness.sockets.serve(() => {});
      await assert.rejects(
        harness.engine.listen({ name: 'x', address: '127.0.0.1', port, kind: 'sni' }),
        (error: Error & { code?: string }) => error.code === 'PORT_TAKEN' && (error.cause as NodeJS.ErrnoException).code === 'EADDRINUSE',
      );
    });

    test('half-closed and silent, or idle: ended at the limit', async () => {
      harness = new EngineHarness(make, { idleTimeoutMs: 300, halfCloseTimeoutMs: 200 });
      const { port: silent } = await harness.sockets.serve((socket) => socket.resume());
      harness.endpoints(endpoint(silent));
      harness.apply({ plain: plain() });
      const port = await harness.listenPlain();
      const half = await harness.sockets.connect(port);
      half.end('that was all');
      await assert.rejects(readAll(half));
      const idle = await harness.sockets.connect(port);
      await assert.rejects(readAll(idle));
      await until('reports', () => harness.reports.length === 2);
      assert.deepEqual(
        harness.reports.map((r) => r.reason),
        ['idle-timeout', 'idle-timeout'],
      );
    });

    test('an app that is down: once known, a byte stream is refused before the handshake', async () => {
      harness = new EngineHarness(make);
      const dead = endpoint(await deadPort());
      harness.endpoints(dead);
      harness.apply({ ...terminating(), ejected: new Set([`${clusterName} 127.0.0.1:${dead.port}`]) });
      const transport = await harness.sockets.connect(await harness.listenSni());
      transport.write(inRecords(helloMessage({ names: [sni] })));
      let bytes = 0;
      transport.on('data', (chunk) => {
        bytes += chunk.length;
      });
      await until('the end', () => transport.destroyed);
      assert.equal(bytes, 0, 'so that the gateway in front may try another endpoint');
      assert.equal((await lastReport()).reason, 'upstream-connect');
    });

    test('dial: each way to fail is a result', async () => {
      const dial = (port: number, tls = true, signal?: AbortSignal) =>
        harness.engine.dial({
          clusterName,
          endpoint: endpoint(port, tls ? { tls: harness.target } : {}),
          connectTimeoutMs: 2_000,
          ...(signal === undefined ? {} : { signal }),
        });
      harness = new EngineHarness(make, { handshakeTimeoutMs: 300 });
      const slow = await dial((await harness.sockets.serve(() => {})).port);
      assert.deepEqual(slow.ok ? '' : [slow.failure, slow.reason], ['tls', 'handshake timeout']);
      await harness.close();
      harness = new EngineHarness(make);
      const refused = await dial(await deadPort());
      assert.equal(refused.ok ? '' : refused.failure, 'connect');
      const { port: mute } = await harness.sockets.serve(() => {});
      const given = new AbortController();
      const pending = dial(mute, true, given.signal);
      await systemClock.sleep(20);
      given.abort();
      const aborted = await pending;
      assert.equal(aborted.ok ? '' : aborted.failure, 'aborted');
      const { port: good } = await harness.sockets.serveMtls(harness.server, harness.bundle, (socket) => socket.end('hi'));
      const connected = await dial(good);
      assert.ok(connected.ok);
      assert.equal(connected.peer?.spiffeId, 'spiffe://mesh.test/ns/shop/sa/orders');
      assert.equal(connected.peer?.cluster, 'east');
      connected.socket.destroy();
    });
  });
}
