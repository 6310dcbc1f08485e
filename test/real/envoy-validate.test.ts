import assert from 'node:assert/strict';
import test from 'node:test';
import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import { trustSecret } from '../../core/xds/envoy/index.ts';
import { Secret } from '../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import { staticBootstrap } from '../support/envoy-bootstrap.ts';
import { envoyClients, envoyGoldenSet } from '../support/envoy-golden.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { validateEnvoyConfig } from './servers/index.ts';

test('real Envoy takes all that the golden files say it is sent', async () => {
  const sets = Object.entries(envoyClients).map(([kind, client]) => [kind, envoyGoldenSet(client)] as const);
  assert.deepEqual(await validateEnvoyConfig(staticBootstrap(sets, secretsOf(new MeshPki()))), { accepted: true });
});

function secretsOf(pki: MeshPki): Secret[] {
  const { chain, key } = pki.forged('east', { uris: ['spiffe://mesh.test/ns/shop/sa/web'], dns: ['east.cluster.mesh.test'] });
  const inline = (value: string) => ({ specifier: { $case: 'inlineString' as const, value } });
  const svid = Secret.create({
    name: 'svid',
    type: {
      $case: 'tlsCertificate',
      value: { certificateChain: inline(certificatesToPem(chain)), privateKey: inline(keyToPem(key)) },
    },
  });
  const of = (cluster: string) => trustSecret(`bundle|${cluster}`, certificatesToPem([pki.cluster(cluster).certificate.der]));
  return [svid, trustSecret('bundle', certificatesToPem([pki.root.certificate.der])), of('east'), of('west')];
}
