import type { TransportSocket } from '../gen/envoy/config/core/v3/base.ts';
import {
  ApiConfigSource_ApiType,
  ApiVersion,
  type ConfigSource,
  ConfigSource as ConfigSourceType,
} from '../gen/envoy/config/core/v3/config_source.ts';
import { RawBuffer } from '../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.ts';
import {
  CertificateValidationContext,
  SubjectAltNameMatcher_SanType,
  TlsParameters,
  TlsParameters_TlsProtocol,
} from '../gen/envoy/extensions/transport_sockets/tls/v3/common.ts';
import { CommonTlsContext, DownstreamTlsContext, UpstreamTlsContext } from '../gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import { packed } from './any.ts';
import { agentClusterName, bundleSecretName, svidSecretName } from './names.ts';

export const adsSource: ConfigSource = ConfigSourceType.create({
  configSourceSpecifier: { $case: 'ads', value: {} },
  resourceApiVersion: ApiVersion.V3,
});

const agentSource: ConfigSource = ConfigSourceType.create({
  configSourceSpecifier: {
    $case: 'apiConfigSource',
    value: {
      apiType: ApiConfigSource_ApiType.DELTA_GRPC,
      transportApiVersion: ApiVersion.V3,
      setNodeOnFirstMessageOnly: true,
      grpcServices: [{ targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: agentClusterName } } }],
    },
  },
  resourceApiVersion: ApiVersion.V3,
});

export const tlsParams = TlsParameters.create({
  tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
  tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
});

const ownCertificate = [{ name: svidSecretName, sdsConfig: agentSource }];

/** What a caller demands of the other end. */
export interface UpstreamTls {
  readonly sni: string;
  /** Any of these, exactly. */
  readonly uriSans: readonly string[];
  /** Secret with the anchors. */
  readonly trust: string;
  readonly alpn: readonly string[];
}

export function upstreamTls({ sni, uriSans, trust, alpn }: UpstreamTls): TransportSocket {
  const context = UpstreamTlsContext.create({
    sni,
    commonTlsContext: CommonTlsContext.create({
      tlsParams,
      alpnProtocols: [...alpn],
      tlsCertificateSdsSecretConfigs: ownCertificate,
      validationContextType: {
        $case: 'combinedValidationContext',
        value: {
          defaultValidationContext: CertificateValidationContext.create({
            matchTypedSubjectAltNames: uriSans.map((uri) => ({
              sanType: SubjectAltNameMatcher_SanType.URI,
              matcher: { matchPattern: { $case: 'exact' as const, value: uri } },
            })),
          }),
          validationContextSdsSecretConfig: { name: trust, sdsConfig: adsSource },
        },
      },
    }),
  });
  return tlsSocket('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', UpstreamTlsContext, context);
}

/** mTLS by our roots. No session outlives its connection: a resumed one would be taken without a look at its certificate. */
export function downstreamTls(alpn: readonly string[]): TransportSocket {
  const context = DownstreamTlsContext.create({
    requireClientCertificate: true,
    sessionTicketKeysType: { $case: 'disableStatelessSessionResumption', value: true },
    disableStatefulSessionResumption: true,
    commonTlsContext: CommonTlsContext.create({
      tlsParams,
      alpnProtocols: [...alpn],
      tlsCertificateSdsSecretConfigs: ownCertificate,
      validationContextType: { $case: 'validationContextSdsSecretConfig', value: { name: bundleSecretName, sdsConfig: adsSource } },
    }),
  });
  return tlsSocket('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', DownstreamTlsContext, context);
}

export function tlsSocket<T>(name: string, type: Parameters<typeof packed<T>>[1], context: T): TransportSocket {
  return { name: 'envoy.transport_sockets.tls', configType: { $case: 'typedConfig', value: packed(name, type, context) } };
}

export const rawBuffer: TransportSocket = {
  name: 'envoy.transport_sockets.raw_buffer',
  configType: {
    $case: 'typedConfig',
    value: packed('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer', RawBuffer, RawBuffer.create()),
  },
};
