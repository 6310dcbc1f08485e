import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { AccessLogging } from '../../access-log/index.ts';
import { Cluster, Cluster_DiscoveryType } from '../gen/envoy/config/cluster/v3/cluster.ts';
import { TransportSocket } from '../gen/envoy/config/core/v3/base.ts';
import { Listener } from '../gen/envoy/config/listener/v3/listener.ts';
import { duration } from './any.ts';
import { tcpProxy } from './filters.ts';
import { proxyLimits } from './limits.ts';
import { internalHopName } from './names.ts';
import { rawBuffer } from './tls.ts';

/**
 * An internal listener of Envoy, in memory: its tcp_proxy takes the xDS cluster that the connection before it has decided on,
 * and closes where it has not decided on any. Needs the bootstrap extension `envoy.bootstrap.internal_listener`.
 */
/** What it logs is of mTLS ends. */
export function internalHopListener(logging?: AccessLogging): Listener {
  return Listener.create({
    name: internalHopName,
    listenerSpecifier: { $case: 'internalListener', value: {} },
    // No xDS cluster has this name.
    filterChains: [
      {
        filters: [
          tcpProxy({
            listener: { name: internalHopName, logging },
            statPrefix: 'authorized',
            cluster: 'rbac-access-denied',
            counted: 'hop',
          }),
        ],
      },
    ],
  });
}

export function internalHopCluster(): Cluster {
  const address = {
    $case: 'envoyInternalAddress' as const,
    value: { addressNameSpecifier: { $case: 'serverListenerName' as const, value: internalHopName } },
  };
  return Cluster.create({
    name: internalHopName,
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(proxyLimits.connectTimeoutMs),
    loadAssignment: {
      clusterName: internalHopName,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { $case: 'endpoint', value: { address: { address } } } }] }],
    },
    transportSocket: withFilterState,
  });
}

/** InternalUpstreamTransport{transport_socket: raw}: passes on what is shared with the upstream. */
const withFilterState: TransportSocket = {
  name: 'envoy.transport_sockets.internal_upstream',
  configType: {
    $case: 'typedConfig',
    value: {
      typeUrl: 'type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport',
      value: Buffer.from(
        new BinaryWriter()
          .uint32((3 << 3) | 2)
          .bytes(TransportSocket.encode(rawBuffer).finish())
          .finish(),
      ),
    },
  },
};
