import { CertificateValidationContext } from '../gen/envoy/extensions/transport_sockets/tls/v3/common.ts';
import { Secret } from '../gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import { SPIFFECertValidatorConfig } from '../gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.ts';
import { packed } from './any.ts';

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

/**
 * Each trust domain with its own anchors, as PEM: a certificate is verified against those of the domain that its URI SAN names, and no others.
 * Which names besides it must have is for those who authorise to say.
 */
export function trustDomainsSecret(name: string, anchors: ReadonlyMap<string, string>): Secret {
  const trustDomains = [...anchors].map(([domain, pem]) => ({
    name: domain,
    trustBundle: { specifier: { $case: 'inlineString' as const, value: pem } },
  }));
  const config = SPIFFECertValidatorConfig.create({ trustDomains });
  const typedConfig = packed('envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig', SPIFFECertValidatorConfig, config);
  return Secret.create({
    name,
    type: {
      $case: 'validationContext',
      value: CertificateValidationContext.create({
        customValidatorConfig: { name: 'envoy.tls.cert_validator.spiffe', typedConfig },
      }),
    },
  });
}
