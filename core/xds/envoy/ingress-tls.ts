import { posix } from 'node:path';
import type { IngressServer } from '../../traffic/index.ts';
import type { TransportSocket } from '../gen/envoy/config/core/v3/base.ts';
import { TlsParameters_TlsProtocol as Version } from '../gen/envoy/extensions/transport_sockets/tls/v3/common.ts';
import { Secret } from '../gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import { CommonTlsContext, DownstreamTlsContext } from '../gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import { file } from './outside-tls.ts';
import { adsSource, tlsSocket } from './tls.ts';

export type IngressTls = NonNullable<IngressServer['tls']>;

const certificateName = ({ certFile, keyFile }: IngressTls) => `ingress|${certFile}|${keyFile}`;
const authorityName = (caFile: string) => `ingress-ca|${caFile}`;

/**
 * Of people's own certificates. Over ADS come the names of the files, which Envoy reads where it runs, and reads anew when they change;
 * it does so for secrets alone.
 */
export function ingressTls(tls: IngressTls, http: boolean): TransportSocket {
  const { mode, caFile, minVersion, alpn } = tls;
  const verifies = mode !== 'simple' && caFile !== undefined;
  const context = DownstreamTlsContext.create({
    requireClientCertificate: mode === 'mutual',
    // A resumed session would be taken without a look at its certificate.
    ...(verifies
      ? { sessionTicketKeysType: { $case: 'disableStatelessSessionResumption', value: true }, disableStatefulSessionResumption: true }
      : {}),
    commonTlsContext: CommonTlsContext.create({
      tlsParams: {
        tlsMinimumProtocolVersion: minVersion === '1.3' ? Version.TLSv1_3 : Version.TLSv1_2,
        tlsMaximumProtocolVersion: Version.TLSv1_3,
      },
      alpnProtocols: alpn.length === 0 && http ? ['h2', 'http/1.1'] : [...alpn],
      tlsCertificateSdsSecretConfigs: [{ name: certificateName(tls), sdsConfig: adsSource }],
      ...(verifies
        ? {
            validationContextType: {
              $case: 'validationContextSdsSecretConfig',
              value: { name: authorityName(caFile), sdsConfig: adsSource },
            },
          }
        : {}),
    }),
  });
  return tlsSocket('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', DownstreamTlsContext, context);
}

/** What `ingressTls` names. The folders are watched, since certificates are replaced by moving new files over old ones. */
export function ingressSecrets(tls: IngressTls): readonly Secret[] {
  const { mode, certFile, keyFile, caFile } = tls;
  const watched = (name: string) => ({ watchedDirectory: { path: posix.dirname(name) } });
  const certificate = Secret.create({
    name: certificateName(tls),
    type: {
      $case: 'tlsCertificate',
      value: { certificateChain: file(certFile), privateKey: file(keyFile), ...watched(certFile) },
    },
  });
  if (mode === 'simple' || caFile === undefined) return [certificate];
  const authority = Secret.create({
    name: authorityName(caFile),
    type: { $case: 'validationContext', value: { trustedCa: file(caFile), ...watched(caFile) } },
  });
  return [certificate, authority];
}
