import { createHash } from 'node:crypto';
import { type Svid, svidKeyPem, type TrustBundle } from '../../core/identity/index.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import { certificatesToPem } from '../../core/pki/index.ts';
import { Secret } from '../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import type { EncodedResource } from '../../core/xds/index.ts';

type SecretType = NonNullable<Parameters<typeof Secret.create>[0]>['type'];

/**
 * What an Envoy of this identity's programs may ask for: its certificate with the key as `default` and by its SPIFFE id, the own trust domain's
 * authorities as `ROOTCA`, and every trust domain's by `spiffe://DOMAIN`. The bytes hold a private key: they go to that identity's callers and nowhere
 * else; versions are of what is public. Pure.
 */
export function workloadSecrets(svid: Svid, bundles: readonly TrustBundle[]): readonly EncodedResource[] {
  const certificate: SecretType = {
    $case: 'tlsCertificate',
    value: { certificateChain: inline(svid.chainPem), privateKey: inline(svidKeyPem(svid)) },
  } as SecretType;
  const version = `${svid.serial}-${digest(svid.chainPem)}`;
  const own = ['default', formatSpiffeId(svid.spiffeId)].map((name) => encode(name, version, certificate));
  const trusted = bundles
    .filter(({ roots }) => roots.length > 0)
    .flatMap(({ trustDomain, roots }) => {
      const pem = certificatesToPem(roots);
      const names = [`spiffe://${trustDomain}`, ...(trustDomain === svid.spiffeId.trustDomain ? ['ROOTCA'] : [])];
      const context = { $case: 'validationContext', value: { trustedCa: inline(pem) } } as SecretType;
      return names.map((name) => encode(name, digest(pem), context));
    });
  return [...own, ...trusted];
}

function encode(name: string, version: string, type: SecretType): EncodedResource {
  return { name, version, value: Secret.encode(Secret.create({ name, type } as Parameters<typeof Secret.create>[0])).finish() };
}

function inline(text: string) {
  return { specifier: { $case: 'inlineString' as const, value: text } };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
