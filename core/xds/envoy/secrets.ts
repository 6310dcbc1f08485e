import { CertificateValidationContext } from '../gen/envoy/extensions/transport_sockets/tls/v3/common.ts';
import { Secret } from '../gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';

/** Anchors under one name. `pem`: one or more certificates. */
export function trustSecret(name: string, pem: string): Secret {
  return Secret.create({
    name,
    type: {
      $case: 'validationContext',
      value: CertificateValidationContext.create({ trustedCa: { specifier: { $case: 'inlineString', value: pem } } }),
    },
  });
}
