import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import {
  type ChannelCredentials,
  ChannelCredentials as Credentials,
  connectivityState,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadRoot } from '../../../control/ca/index.ts';
import { type CallLike, GrpcFront } from '../../../control/grpc/index.ts';
import {
  type ControlChannel,
  controlChannel,
  freshControlChannel,
  makeSvid,
  SettableSvidSource,
  type Svid,
  type SvidSource,
  separateControlChannel,
} from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import {
  certificatesToPem,
  createCsr,
  generateKey,
  issueBootstrap,
  issueIntermediate,
  issueLeafWithNames,
  keyToPem,
  parseCertificate,
  spkiOf,
} from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { IdentityClient, IdentityService, RegistrationClient, type SvidReply } from '../../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { startControlPlane, type TestControlPlane, type TestControlPlaneOptions, temporaryDir } from '../../support/control-plane.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';

async function control(t: TestContext, options: Partial<TestControlPlaneOptions> = {}): Promise<TestControlPlane> {
  const plane = await startControlPlane({ dir: await temporaryDir(t), ...options });
  t.after(() => plane.stop());
  return plane;
}

/** A machine's SVID, attested by hand, so that tests can do with it what agents never would. */
async function attested(t: TestContext, plane: TestControlPlane): Promise<SettableSvidSource> {
  const key = generateKey();
  const client = clientOf(t, plane, Credentials.createSsl(rootPem(plane), null, null, { checkServerIdentity: () => undefined }));
  const proof = Buffer.from(await plane.token());
  const reply = await called<SvidReply>((done) =>
    client.attest({ attestor: 'join-token', proof, csr: createCsr(key), instance: 'vm-1' }, done),
  );
  const svid = makeSvid(reply.chain, key);
  assert.ok(svid.ok);
  return new SettableSvidSource(svid.value, plane.authority.bundle());
}

const rootPem = (plane: TestControlPlane) => Buffer.from(certificatesToPem(plane.authority.bundle().roots));

function clientOf(t: TestContext, plane: TestControlPlane, credentials: ChannelCredentials): IdentityClient {
  const client = new IdentityClient(plane.address, credentials, {
    'grpc.ssl_target_name_override': 'control.isthmus',
    'grpc.enable_http_proxy': 0,
  });
  t.after(() => client.close());
  return client;
}

function meshClient(t: TestContext, plane: TestControlPlane, source: SvidSource): IdentityClient {
  return clientOf(t, plane, controlChannel(source, { cluster: 'east', now: Date.now }).credentials);
}

/** What a client without any scruples presents. */
function rogue(t: TestContext, plane: TestControlPlane, chain: readonly Uint8Array[], key: Svid['key']): IdentityClient {
  const credentials = Credentials.createSsl(rootPem(plane), Buffer.from(keyToPem(key)), Buffer.from(certificatesToPem(chain)), {
    checkServerIdentity: () => undefined,
  });
  return clientOf(t, plane, credentials);
}

function called<T>(call: (done: (error: ServiceError | null, reply: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, reply) => (error === null ? resolve(reply) : reject(error)));
  });
}

const renew = (client: IdentityClient, csr = createCsr(generateKey())) => called<SvidReply>((done) => client.renew({ csr }, done));
const refused = (code: status) => (error: ServiceError) => error.code === code;

/** Unlike `once`, takes an error on the way for granted. */
const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));

test('renewal is for the identity held, whatever the request asks for', async (t) => {
  const plane = await control(t);
  const source = await attested(t, plane);
  const client = meshClient(t, plane, source);
  const reply = await renew(client);
  assert.equal(reply.spiffeId, 'spiffe://mesh.test/ns/shop/sa/orders');
  const own = createCsr(generateKey(), { uris: [reply.spiffeId], dns: ['east.cluster.mesh.test'] });
  assert.equal((await renew(client, own)).spiffeId, reply.spiffeId);
  for (const ask of [
    { uris: ['spiffe://mesh.test/ns/shop/sa/payments'] },
    { uris: ['spiffe://mesh.test/ns/isthmus-system/sa/control'] },
    { dns: ['west.cluster.mesh.test'] },
  ]) {
    await assert.rejects(renew(client, createCsr(generateKey(), ask)), refused(status.PERMISSION_DENIED));
  }
  assert.match(plane.lines.join('\n'), /renewal refused .*asks for another identity/);
});

test("attesting with a CSR for someone else's identity is refused and uses nothing up", async (t) => {
  const plane = await control(t);
  const client = clientOf(t, plane, Credentials.createSsl(rootPem(plane), null, null, { checkServerIdentity: () => undefined }));
  const proof = Buffer.from(await plane.token());
  const attest = (csr: Buffer) =>
    called<SvidReply>((done) => client.attest({ attestor: 'join-token', proof, csr, instance: 'vm-1' }, done));
  await assert.rejects(
    attest(createCsr(generateKey(), { uris: ['spiffe://mesh.test/ns/bank/sa/vault'] })),
    refused(status.PERMISSION_DENIED),
  );
  const tampered = createCsr(generateKey());
  tampered[tampered.length - 1] = (tampered[tampered.length - 1] ?? 0) ^ 1;
  await assert.rejects(attest(tampered), refused(status.INVALID_ARGUMENT));
  await assert.rejects(attest(Buffer.from('garbage')), refused(status.INVALID_ARGUMENT));
  await attest(createCsr(generateKey()));
});

test('without a certificate nothing but attesting works', async (t) => {
  const plane = await control(t);
  const client = clientOf(t, plane, Credentials.createSsl(rootPem(plane), null, null, { checkServerIdentity: () => undefined }));
  await assert.rejects(renew(client), refused(status.UNAUTHENTICATED));
});

test('certificates of another trust domain, another cluster, without a cluster, expired or denied never reach a call', async (t) => {
  const dir = await temporaryDir(t);
  const plane = await control(t, { dir });
  const source = await attested(t, plane);
  const root = await loadRoot(join(dir, 'root'), 'mesh.test');
  const hour = 3_600_000;
  const forge = (cluster: string, dns: readonly string[], lifetimeMs = hour) => {
    const [caKey, key] = [generateKey(), generateKey()];
    const certificate = issueIntermediate(root, spkiOf(caKey), cluster, 'mesh.test', Date.now(), hour);
    const uris = ['spiffe://mesh.test/ns/shop/sa/orders'];
    const leaf = issueLeafWithNames({ key: caKey, certificate }, spkiOf(key), { uris, dns }, Date.now(), lifetimeMs);
    return rogue(t, plane, [leaf.der, certificate.der], key);
  };
  const west = 'west.cluster.mesh.test';
  const peer = renew(forge('west', [west]));
  await assert.rejects(peer, refused(status.UNAUTHENTICATED), 'a true peer is let in, and has nothing to renew here');
  await assert.rejects(renew(forge('west', ['east.cluster.mesh.test'])), refused(status.UNAVAILABLE), "another cluster's name");
  await assert.rejects(renew(forge('west', [])), refused(status.UNAVAILABLE), 'no cluster at all');
  assert.match(plane.lines.join('\n'), /no cluster vouches for it/);
  await assert.rejects(renew(forge('west', [west], -1_000)), refused(status.UNAVAILABLE), 'expired');
  const foreign = new MeshPki();
  const stranger = foreign.svid('east', 'shop', 'orders');
  await assert.rejects(renew(rogue(t, plane, stranger.chainDer, stranger.key)), refused(status.UNAVAILABLE));
  assert.match(plane.lines.join('\n'), /connection refused .*bad-certificate/);
  const valid = source.current();
  await renew(rogue(t, plane, valid.chainDer, valid.key));
  await plane.authority.setDenied([valid.serial]);
  await assert.rejects(renew(rogue(t, plane, valid.chainDer, valid.key)), refused(status.PERMISSION_DENIED));
  assert.match(plane.lines.join('\n'), /is denied/);
  assert.doesNotMatch(plane.lines.join('\n'), /renewal refused .*denied/);
});

test('who was revoked is told so by every kind of call, on a connection that does not last; what does not hold besides is told nothing', async (t) => {
  const dir = await temporaryDir(t);
  const plane = await control(t, { dir, limits: { anonymousMs: 2_000 } });
  const source = await attested(t, plane);
  const { serial } = source.current();
  const root = await loadRoot(join(dir, 'root'), 'mesh.test');
  const [caKey, key] = [generateKey(), generateKey()];
  const certificate = issueIntermediate(root, spkiOf(caKey), 'east', 'mesh.test', Date.now(), 3_600_000);
  const names = { uris: ['spiffe://mesh.test/ns/shop/sa/orders'], dns: ['east.cluster.mesh.test'] };
  const ended = issueLeafWithNames({ key: caKey, certificate }, spkiOf(key), names, Date.now(), -1_000);
  await plane.authority.setDenied([serial, ended.serial]);

  const told = (error: ServiceError) => error.code === status.PERMISSION_DENIED && /was revoked.*isthmus vm token/.test(error.details);
  const client = meshClient(t, plane, source);
  await assert.rejects(renew(client), told);
  const channel = controlChannel(source, { cluster: 'east', now: Date.now });
  const registration = new RegistrationClient(plane.address, channel.credentials, channel.options);
  t.after(() => registration.close());
  const call = registration.register();
  call.on('data', () => assert.fail('it is served'));
  call.write({ body: { $case: 'leave', value: {} } });
  const [error] = (await once(call, 'error')) as [ServiceError];
  assert.ok(told(error), error.message);
  assert.deepEqual(
    plane.lines.filter((line) => line.startsWith('registration')),
    [],
    'what serves has seen nothing of it',
  );
  await until('its connections to end', () => client.getChannel().getConnectivityState(false) !== connectivityState.READY);
  await assert.rejects(renew(rogue(t, plane, [ended.der, certificate.der], key)), refused(status.UNAVAILABLE), 'revoked and expired');
  const counted = await plane.refused();
  assert.equal(counted['connection revoked'], 2);
  assert.ok((counted['connection bad-certificate'] ?? 0) >= 1);
  assert.equal(plane.lines.filter((line) => /connection refused.*"revoked"/.test(line)).length, 1, 'the same refusal is said once');
});

test('an identity that is denied loses the connections it has', async (t) => {
  const plane = await control(t);
  const source = await attested(t, plane);
  const client = meshClient(t, plane, source);
  await renew(client);
  assert.equal(client.getChannel().getConnectivityState(false), connectivityState.READY);
  await plane.authority.setDenied([source.current().serial]);
  await until('the connection to go', () => client.getChannel().getConnectivityState(false) !== connectivityState.READY);
  await assert.rejects(renew(client), refused(status.PERMISSION_DENIED));
});

test('garbage after the handshake, and messages that are too big, harm nobody else', async (t) => {
  const plane = await control(t, { limits: { messageBytes: 64 * 1024 } });
  const source = await attested(t, plane);
  const client = meshClient(t, plane, source);
  for (const bytes of [
    Buffer.alloc(100_000, 0xff),
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.alloc(64, 0xff)]),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  ]) {
    const socket = connectTls({ host: '127.0.0.1', port: plane.front.port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    socket.on('error', () => {});
    socket.resume();
    socket.once('secureConnect', () => socket.write(bytes));
    await closed(socket);
  }
  await assert.rejects(renew(client, Buffer.alloc(100_000)), refused(status.RESOURCE_EXHAUSTED));
  await renew(client);
});

test('an SVID of this mesh that no grant stands behind cannot be renewed', async (t) => {
  const plane = await control(t);
  const client = rogue(t, plane, plane.source.current().chainDer, plane.source.current().key);
  await assert.rejects(renew(client), refused(status.UNAUTHENTICATED));
});

test('a connection ends with its SVID, and the channel comes back with the next one', async (t) => {
  const plane = await control(t, { svidTtlMs: 10_000 });
  const source = await attested(t, plane);
  const client = meshClient(t, plane, source);
  const key = generateKey();
  const reply = await renew(client, createCsr(key));
  const first = source.current();
  const next = makeSvid(reply.chain, key);
  assert.ok(next.ok);
  await systemClock.sleep(Math.max(0, first.notAfter - Date.now() - 5_000));
  const later = generateKey();
  const renewed = makeSvid((await renew(client, createCsr(later))).chain, later);
  assert.ok(renewed.ok);
  source.set(renewed.value);
  await until('the first SVID to end', () => Date.now() > first.notAfter);
  const served = await until('a call on the new SVID', () => renew(client));
  const [leaf] = served.chain;
  assert.ok(leaf !== undefined && parseCertificate(leaf).ok);
});

test('the listener changes its certificate without dropping a connection', async (t) => {
  const plane = await control(t);
  const source = await attested(t, plane);
  const client = meshClient(t, plane, source);
  await renew(client);
  const peer = client.getChannel().getConnectivityState(false);
  const serialOf = async () => {
    const socket = connectTls({ host: '127.0.0.1', port: plane.front.port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const before = await serialOf();
  await plane.authority.rotate();
  assert.notEqual(await serialOf(), before);
  assert.equal(client.getChannel().getConnectivityState(false), peer);
  await renew(client);
});

test('connections are limited by source, in handshake time, and to HTTP/2', async (t) => {
  const plane = await control(t, { limits: { connectionsPerSource: 3, handshakeMs: 2_000, anonymousMs: 2_000 } });
  const { port } = plane.front;
  const silent = connectTcp(port, '127.0.0.1');
  silent.on('error', () => {});
  silent.resume();
  await closed(silent);
  const garbage = connectTcp(port, '127.0.0.1');
  garbage.on('error', () => {});
  garbage.resume();
  garbage.write(Buffer.alloc(70_000, 'GET / HTTP/1.1\r\n'));
  await closed(garbage);
  const http1 = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  let negotiated = false;
  http1.on('error', () => {});
  http1.on('secureConnect', () => {
    negotiated = true;
  });
  await closed(http1);
  assert.equal(negotiated, false);
  const idle = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  idle.on('error', () => {});
  idle.resume();
  await once(idle, 'secureConnect');
  await closed(idle);
  const crowd = Array.from({ length: 5 }, () => connectTcp(port, '127.0.0.1'));
  for (const socket of crowd) {
    socket.on('error', () => {});
    socket.resume();
  }
  await until('a refusal', () => plane.lines.some((line) => line.includes('too many from this source')));
  for (const socket of crowd) socket.destroy();
});

test('a fleet that comes back at once is let in by and by, past those who begin a handshake and do not go on', async (t) => {
  const plane = await control(t, { limits: { handshakesAtOnce: 2, handshakeMs: 60_000 } });
  const source = await attested(t, plane);
  const { port } = plane.front;
  const stalled = Array.from({ length: 2 }, () => connectTcp(port, '127.0.0.1'));
  for (const socket of stalled) {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    // A record of 256 bytes that begins a hello of 512, the rest of which never comes.
    socket.write(Buffer.concat([Buffer.from([22, 3, 1, 1, 0, 1, 0, 2, 0]), Buffer.alloc(252)]));
  }
  await Promise.all(stalled.map((socket) => once(socket, 'connect')));
  const before = plane.front.roots.report()[0]?.handshakes ?? 0;
  const fleet = Array.from({ length: 60 }, () => {
    const client = meshClient(t, plane, new SettableSvidSource(source.current(), source.bundle()));
    return new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + 60_000, (error) => (error === undefined ? resolve() : reject(error)));
    });
  });
  await Promise.all(fleet);
  assert.equal(plane.front.roots.report()[0]?.handshakes, before + 60);
});

test('clients of one source share a connection to a control plane, until one asks for a fresh one', async (t) => {
  const plane = await control(t);
  const source = await attested(t, plane);
  const expectation = { cluster: 'east', now: Date.now };
  const handshakes = () => plane.front.roots.report()[0]?.handshakes ?? 0;
  const before = handshakes();
  const use = async ({ credentials, options }: ControlChannel) => {
    const client = new IdentityClient(plane.address, credentials, options);
    t.after(() => client.close());
    await renew(client);
    return handshakes() - before;
  };
  assert.equal(await use(controlChannel(source, expectation)), 1);
  assert.equal(await use(controlChannel(source, expectation)), 1);
  assert.equal(await use(controlChannel(new SettableSvidSource(source.current(), source.bundle()), expectation)), 2, 'of another source');
  assert.equal(await use(freshControlChannel(source, expectation)), 3);
  assert.equal(await use(controlChannel(source, expectation)), 3, 'the fresh one is shared from then on');
  assert.equal(await use(controlChannel(source, { ...expectation, check: () => undefined })), 4, 'with a check of its own');
  assert.equal(await use(separateControlChannel(source, expectation)), 5);
  assert.equal(await use(controlChannel(source, expectation)), 5);
  await assert.rejects(use(controlChannel(source, { ...expectation, cluster: 'west' })), refused(status.UNAVAILABLE));
});

test('draining refuses new connections, lets calls finish, and ends', async (t) => {
  const plane = await control(t, { port: await deadPort() });
  const source = await attested(t, plane);
  const client = meshClient(t, plane, source);
  const running = renew(client);
  await running;
  await plane.front.drain(1_000);
  const late = connectTcp(Number(plane.address.split(':')[1]), '127.0.0.1');
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});

test('guessing is slowed down by source', async (t) => {
  const plane = await control(t);
  const client = clientOf(t, plane, Credentials.createSsl(rootPem(plane), null, null, { checkServerIdentity: () => undefined }));
  const guess = () =>
    called<SvidReply>((done) =>
      client.attest(
        { attestor: 'join-token', proof: Buffer.from('isthmus-join-v1.x'), csr: createCsr(generateKey()), instance: 'vm-1' },
        new Metadata(),
        done,
      ),
    );
  for (let tries = 0; tries < 20; tries++) await assert.rejects(guess(), refused(status.UNAUTHENTICATED));
  await assert.rejects(guess(), refused(status.RESOURCE_EXHAUSTED));
});

test('a control plane without an identity presents a bootstrap certificate, and asks for client certificates once it has one', async (t) => {
  const mesh = new MeshPki();
  const key = generateKey();
  const certificate = issueBootstrap(key, 'west.bootstrap', Date.now(), 3_600_000).der;
  const seen: (string | undefined)[] = [];
  const identity = { bootstrap: { certificate, key }, bundle: { ...mesh.bundle, roots: [] } };
  const front = new GrpcFront({ host: '127.0.0.1', port: 0, identity, clock: systemClock, log: silentLog });
  front.addService(IdentityService, {
    attest: (_call: unknown, done: (error: Error) => void) => done(new Error('not here')),
    renew: (call: CallLike, done: (error: null, reply: SvidReply) => void) => {
      seen.push(front.callerOf(call)?.cluster);
      done(null, { chain: [], roots: [], spiffeId: '', trustDomain: '', cluster: '', serverTimeMs: 0 });
    },
  });
  await front.start(new AbortController().signal);
  t.after(() => front.dispose());
  const plane = { address: `127.0.0.1:${front.port}` } as TestControlPlane;
  const pinned = Credentials.createSsl(Buffer.from(certificatesToPem([certificate])), null, null, { checkServerIdentity: () => undefined });
  await renew(clientOf(t, plane, pinned));
  front.useIdentity({ svid: mesh.svid('east', 'isthmus-system', 'control'), bundle: mesh.bundle });
  await renew(clientOf(t, plane, controlChannel(mesh.source('west', 'isthmus-system', 'control'), { now: Date.now }).credentials));
  assert.deepEqual(seen, [undefined, 'west']);
});
