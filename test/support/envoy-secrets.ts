import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import { trustSecret } from '../../core/xds/envoy/index.ts';
import { Secret } from '../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import { MeshPki } from './mesh-pki.ts';

/** What clusters and listeners of a golden mesh refer to. */
export function envoyValidationSecrets(): Secret[] {
  const pki = new MeshPki();
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
