import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { mtlsClientOptions, mtlsServerOptions, verifyPeerSocket } from '../../../core/identity/index.ts';
import { certificatesToPem, keyToPem, type PeerVerdict } from '../../../core/pki/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

const mesh = new MeshPki();
const server = mesh.svid('east', 'shop', 'orders');
const client = mesh.svid('west', 'shop', 'web');
const target = {
  sni: 'outbound_.80_._.orders.shop.mesh.internal',
  uriSans: ['spiffe://mesh.test/ns/shop/sa/orders'],
  clusterSan: 'east.cluster.mesh.test',
};

interface Outcome {
  /** What the server made of its client; undefined when OpenSSL ended the handshake. */
  readonly verdict?: PeerVerdict;
  readonly clientError?: string;
}

async function handshake(options: TlsOptions, clientOptions: ConnectionOptions): Promise<Outcome> {
  const listener = createServer(options).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const outcome: { verdict?: PeerVerdict; clientError?: string } = {};
  const served = new Promise<void>((resolve) => {
    listener.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => {});
      outcome.verdict = verifyPeerSocket(socket, mesh.bundle, Date.now());
      socket.end('x');
      resolve();
    });
    listener.on('tlsClientError', () => resolve());
  });
  const socket = connect({ ...clientOptions, host: '127.0.0.1', port: (listener.address() as AddressInfo).port });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', (error) => {
    outcome.clientError = error.message;
  });
  socket.resume();
  await Promise.all([served, closed]);
  await new Promise((resolve) => listener.close(resolve));
  return outcome;
}

test('both ends of a mesh handshake know whom they have', async () => {
  const { verdict, clientError } = await handshake(
    mtlsServerOptions(server, mesh.bundle),
    mtlsClientOptions(client, mesh.bundle, target, Date.now),
  );
  assert.equal(clientError, undefined);
  assert.equal(verdict?.ok, true);
  assert.equal(verdict?.ok && verdict.spiffeId.serviceAccount, 'web');
  assert.equal(verdict?.ok && verdict.cluster, 'west');
});

test('a client refuses a server of the right name in the wrong cluster, and of the wrong name in the right one', async () => {
  for (const wrong of [mesh.svid('west', 'shop', 'orders'), mesh.svid('east', 'shop', 'billing')]) {
    const { clientError } = await handshake(
      mtlsServerOptions(wrong, mesh.bundle),
      mtlsClientOptions(client, mesh.bundle, target, Date.now),
    );
    assert.match(clientError ?? '', /identity was refused: is .* expected/);
  }
});

test("OpenSSL itself refuses another cluster's name, and agrees that a leaf without one passes it: ours must not", async () => {
  const uris = ['spiffe://mesh.test/ns/shop/sa/web'];
  const as = (forged: ReturnType<MeshPki['forged']>) => ({
    ...mtlsClientOptions(client, mesh.bundle, target, Date.now),
    key: keyToPem(forged.key),
    cert: certificatesToPem(forged.chain),
  });
  const stolen = await handshake(
    mtlsServerOptions(server, mesh.bundle),
    as(mesh.forged('west', { uris, dns: ['east.cluster.mesh.test'] })),
  );
  assert.equal(stolen.verdict, undefined, 'the handshake itself fails');
  const nameless = await handshake(mtlsServerOptions(server, mesh.bundle), as(mesh.forged('west', { uris, dns: [] })));
  assert.equal(nameless.verdict?.ok, false);
  assert.match(nameless.verdict?.ok === false ? nameless.verdict.reason : '', /DNS SAN/);
});

test('another trust domain never completes a handshake', async () => {
  const other = new MeshPki();
  const foreign = other.svid('west', 'shop', 'web');
  const asServer = await handshake(
    mtlsServerOptions(other.svid('east', 'shop', 'orders'), other.bundle),
    mtlsClientOptions(client, mesh.bundle, target, Date.now),
  );
  assert.match(asServer.clientError ?? '', /self.signed|unable to|certificate/i);
  const asClient = await handshake(mtlsServerOptions(server, mesh.bundle), {
    ...mtlsClientOptions(foreign, mesh.bundle, target, Date.now),
  });
  assert.equal(asClient.verdict, undefined);
});

test('a server gives out no session that could be resumed without a certificate', async () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const listener = createServer(mtlsServerOptions(server, mesh.bundle)).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const verdicts: PeerVerdict[] = [];
    listener.on('secureConnection', (socket) => {
      socket.on('error', () => {});
      verdicts.push(verifyPeerSocket(socket, mesh.bundle, Date.now()));
      socket.end('bye');
    });
    const options = {
      ...mtlsClientOptions(client, mesh.bundle, target, Date.now),
      maxVersion,
      host: '127.0.0.1',
      port: (listener.address() as AddressInfo).port,
    };
    let session: Buffer | undefined;
    const reused: boolean[] = [];
    for (let round = 0; round < 2; round++) {
      const socket = connect(session === undefined ? options : { ...options, session });
      socket.on('session', (offered) => {
        session = offered;
      });
      socket.once('secureConnect', () => reused.push(socket.isSessionReused()));
      socket.resume();
      await once(socket, 'close');
    }
    assert.deepEqual(
      verdicts.map((verdict) => verdict.ok),
      [true, true],
    );
    await new Promise((resolve) => listener.close(resolve));
    assert.deepEqual(reused, [false, false]);
  }
});
