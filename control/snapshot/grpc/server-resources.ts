import type { AuthzRule } from '../../../core/authz/index.ts';
import { serviceKey } from '../../../core/model/index.ts';
import { Listener } from '../../../core/xds/gen/envoy/config/listener/v3/listener.ts';
import { RBAC_Action } from '../../../core/xds/gen/envoy/config/rbac/v3/rbac.ts';
import { RBAC } from '../../../core/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac.ts';
import { HttpConnectionManager } from '../../../core/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { DownstreamTlsContext } from '../../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import { anchorInstance, anchorsInstance, identityInstance, serverListenerName } from '../../../core/xds/grpc/index.ts';
import type { InboundClaim, NodeClaims } from '../../../core/xds/index.ts';
import type { DialectContext, DialectResource, FindResource } from '../dialect.ts';
import { routerFilter } from './client-resources.ts';
import { pack, providerInstance, resourceOf } from './messages.ts';
import { type CallersPlan, planCallers } from './rbac.ts';

/** One Listener for each address that a server binds, as it claims to; without a policy for the service it lets nobody in. */
export function serverListeners(claims: NodeClaims, find: FindResource, context: DialectContext): readonly DialectResource[] {
  return (claims.inbound?.services ?? []).map((service) => {
    const rules = find('authz', serviceKey(service.namespace, service.name))?.value.rules ?? [];
    return serverListener(service, rules, context);
  });
}

function serverListener({ address, target }: InboundClaim, rules: readonly AuthzRule[], context: DialectContext): DialectResource {
  const { anchors, cluster, trustDomain } = context;
  const callers = planCallers(rules, anchors, cluster, trustDomain);
  const name = serverListenerName(address, target);
  return resourceOf('listener', name, Listener, {
    name,
    address: { address: { $case: 'socketAddress', value: { address, portSpecifier: { $case: 'portValue', value: target } } } },
    defaultFilterChain: {
      name: 'callers',
      filters: [{ name: 'http', configType: { $case: 'typedConfig', value: http(callers) } }],
      transportSocket: serverTls(callers.clusters, context),
    },
  });
}

function http({ policies }: CallersPlan) {
  return pack('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', HttpConnectionManager, {
    routeSpecifier: {
      $case: 'routeConfig',
      value: {
        name: 'serve',
        virtualHosts: [
          {
            name: 'serve',
            domains: ['*'],
            routes: [{ match: { pathSpecifier: { $case: 'prefix', value: '' } }, action: { $case: 'nonForwardingAction', value: {} } }],
          },
        ],
      },
    },
    httpFilters: [
      {
        // A server that has RBAC switched off refuses the Listener for it and does not serve: optional, it would let everybody in.
        name: 'callers',
        configType: {
          $case: 'typedConfig',
          value: pack('extensions.filters.http.rbac.v3.RBAC', RBAC, { rules: { action: RBAC_Action.ALLOW, policies } }),
        },
      },
      routerFilter,
    ],
  });
}

function serverTls(clusters: readonly string[], { anchors, cluster }: DialectContext) {
  const [only = cluster, second] = clusters;
  const instance = second === undefined ? anchorInstance(only) : anchorsInstance;
  // Without any anchor nobody can be verified: the instance that the bootstrap always has.
  const caCertificateProviderInstance = providerInstance(anchors.includes(only) ? instance : identityInstance);
  return {
    name: 'envoy.transport_sockets.tls',
    configType: {
      $case: 'typedConfig',
      value: pack('extensions.transport_sockets.tls.v3.DownstreamTlsContext', DownstreamTlsContext, {
        requireClientCertificate: true,
        commonTlsContext: {
          tlsCertificateProviderInstance: providerInstance(identityInstance),
          validationContextType: { $case: 'validationContext', value: { caCertificateProviderInstance } },
        },
      }),
    },
  } as const;
}
