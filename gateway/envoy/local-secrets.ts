import { createHash } from 'node:crypto';
import { type Svid, svidKeyPem, type TrustBundle } from '../../core/identity/index.ts';
import { certificatesToPem } from '../../core/pki/index.ts';
import { controlBundleSecretName, svidSecretName } from '../../core/xds/envoy/index.ts';
import { Secret } from '../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import type { EncodedResource } from '../../core/xds/index.ts';

/**
 * What Envoy has from its node alone: its chain with the key, and what its control plane must chain to. The bytes hold a private key: they
 * go to the socket and nowhere else. Versions are of what is public, so that status may show them. Pure.
 */
export function localSecrets(svid: Svid, trust: TrustBundle): readonly EncodedResource[] {
  const anchors = certificatesToPem(controlAnchors(svid, trust));
  return [
    encode(svidSecretName, `${svid.serial}-${digest(svid.chainPem)}`, {
      $case: 'tlsCertificate',
      value: { certificateChain: inline(svid.chainPem), privateKey: inline(svidKeyPem(svid)) },
    }),
    encode(controlBundleSecretName, digest(anchors), { $case: 'validationContext', value: { trustedCa: inline(anchors) } }),
  ];
}

/** What our cluster alone signs with: under the root any other cluster's control plane would pass too. The root only where nothing closer is known. */
function controlAnchors({ chainDer, cluster }: Svid, { intermediates, roots }: TrustBundle): readonly Uint8Array[] {
  const known = intermediates.filter((each) => each.cluster === cluster).map(({ certificate }) => certificate);
  const own = new Map([...chainDer.slice(1), ...known].map((der) => [Buffer.from(der).toString('base64'), der]));
  return own.size > 0 ? [...own.values()] : roots;
}

type SecretType = NonNullable<Parameters<typeof Secret.create>[0]>['type'];

function encode(name: string, version: string, type: SecretType): EncodedResource {
  return { name, version, value: Secret.encode(Secret.create({ name, type } as Parameters<typeof Secret.create>[0])).finish() };
}

function inline(text: string) {
  return { specifier: { $case: 'inlineString' as const, value: text } };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
