import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { connect, createServer } from 'node:tls';
import { anchorOf, certificatesToPem, keyToPem } from '../../../core/pki/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';

const pki = new MeshPki();
const names = (cluster: string) => ({ uris: ['spiffe://mesh.test/ns/shop/sa/orders'], dns: [`${cluster}.cluster.mesh.test`] });
const anchors = (...clusters: string[]) => certificatesToPem(clusters.map((cluster) => anchorOf(pki.cluster(cluster).certificate).der));

describe('an intermediate as an anchor', () => {
  it("is what Node's TLS takes the chains of that cluster by, without their root", async () => {
    assert.equal(await handshake(pki.forged('east', names('east')), anchors('east')), 'authorized');
    assert.equal(await handshake(pki.forged('west', names('west')), anchors('east', 'west')), 'authorized');
  });

  it('takes the chains of no other cluster, nor of the root that they share', async () => {
    assert.match(
      await handshake(pki.forged('west', names('west')), anchors('east')),
      /UNABLE_TO_GET_ISSUER_CERT|SELF_SIGNED_CERT_IN_CHAIN/,
    );
  });

  it('takes a leaf without a name of its cluster from that cluster alone', async () => {
    const bare = { uris: names('east').uris, dns: [] };
    assert.equal(await handshake(pki.forged('east', bare), anchors('east')), 'authorized');
    assert.notEqual(await handshake(pki.forged('west', bare), anchors('east')), 'authorized');
  });

  it("keeps the cluster's name constraint", async () => {
    // Node has no name for this fault of OpenSSL's, a permitted subtree violation.
    assert.equal(await handshake(pki.forged('east', names('west')), anchors('east')), 'UNSPECIFIED');
  });

  it('is equal for equal intermediates', () => {
    assert.equal(anchors('east'), anchors('east'));
    assert.notEqual(anchors('east'), anchors('west'));
  });
});

/** 'authorized', or why the client refused. */
async function handshake({ chain, key }: ReturnType<MeshPki['forged']>, ca: string): Promise<string> {
  const server = createServer({ cert: certificatesToPem(chain), key: keyToPem(key) });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    ca,
    checkServerIdentity: () => undefined,
    rejectUnauthorized: false,
  });
  try {
    await once(socket, 'secureConnect');
    return socket.authorized ? 'authorized' : String(socket.authorizationError);
  } finally {
    socket.destroy();
    server.close();
  }
}
