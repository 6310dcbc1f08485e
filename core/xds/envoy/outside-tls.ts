import { type OutsideTls, systemCaFile } from '../../traffic/index.ts';
import type { DataSource, TransportSocket } from '../gen/envoy/config/core/v3/base.ts';
import {
  CertificateValidationContext,
  SubjectAltNameMatcher_SanType as SanType,
  CertificateValidationContext_TrustChainVerification as Verification,
} from '../gen/envoy/extensions/transport_sockets/tls/v3/common.ts';
import { CommonTlsContext, UpstreamTlsContext } from '../gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import { tlsParams, tlsSocket } from './tls.ts';

/** TLS of this proxy's own to what is outside the mesh, by files where it runs. */
export function outsideTls(tls: OutsideTls, alpn: readonly string[]): TransportSocket {
  const { sni, certFile, keyFile } = tls;
  const own = tls.mode === 'mutual' && certFile !== undefined && keyFile !== undefined;
  const context = UpstreamTlsContext.create({
    sni,
    commonTlsContext: CommonTlsContext.create({
      tlsParams,
      alpnProtocols: [...alpn],
      tlsCertificates: own ? [{ certificateChain: file(certFile), privateKey: file(keyFile) }] : [],
      validationContextType: { $case: 'validationContext', value: validation(tls) },
    }),
  });
  return tlsSocket('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', UpstreamTlsContext, context);
}

function validation({ sni, subjectAltNames, caFile, insecureSkipVerify }: OutsideTls): CertificateValidationContext {
  if (insecureSkipVerify === true) return CertificateValidationContext.create({ trustChainVerification: Verification.ACCEPT_UNTRUSTED });
  const names = subjectAltNames.length === 0 ? [sni] : subjectAltNames;
  return CertificateValidationContext.create({
    trustedCa: file(caFile ?? systemCaFile),
    matchTypedSubjectAltNames: names
      .filter((name) => name !== '')
      .map((name) => ({
        sanType: name.includes('://') ? SanType.URI : SanType.DNS,
        matcher: { matchPattern: { $case: 'exact' as const, value: name } },
      })),
  });
}

export function file(filename: string): DataSource {
  return { specifier: { $case: 'filename', value: filename }, watchedDirectory: undefined };
}
