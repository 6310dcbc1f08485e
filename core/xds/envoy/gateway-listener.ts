import type { AccessLogging } from '../../access-log/index.ts';
import { TrafficDirection } from '../gen/envoy/config/core/v3/base.ts';
import { Listener } from '../gen/envoy/config/listener/v3/listener.ts';
import { FilterChain } from '../gen/envoy/config/listener/v3/listener_components.ts';
import { Matcher } from '../gen/xds/type/matcher/v3/matcher.ts';
import { emptyConfig } from './any.ts';
import { serverName, take } from './chain-matcher.ts';
import { filter, tcpProxy } from './filters.ts';
import { inspectTls, type ListenAt, listenerBase, type MtlsEnd, mtlsChain } from './listeners.ts';
import { gatewayListenerName } from './names.ts';

const passthrough = 'passthrough';

/**
 * The one listener of an east-west gateway. A server name that is an `ends` is terminated. Any other goes, unread, to the xDS
 * cluster of that very name, and only names of the mesh's form get that far: clusters that are
 * not for strangers, such as those that the gateway calls with its own identity, have names of another form.
 */
export function gatewayListener(at: ListenAt, ends: readonly MtlsEnd[], logging?: AccessLogging): Listener {
  const log = { name: gatewayListenerName, logging };
  const byName = ends.flatMap((end) => end.serverNames.map((name) => [name, take(end.cluster)] as const));
  return Listener.create({
    ...listenerBase(gatewayListenerName, at, TrafficDirection.INBOUND),
    ...inspectTls,
    filterChains: [
      FilterChain.create({
        name: passthrough,
        filters: [
          filter('envoy.filters.network.sni_cluster', emptyConfig('envoy.extensions.filters.network.sni_cluster.v3.SniCluster')),
          // The SNI replaces its cluster; there is none of this name.
          tcpProxy({ listener: log, statPrefix: passthrough, cluster: 'no-server-name', counted: 'caller' }),
        ],
      }),
      ...ends.map((end) => ({ ...mtlsChain(log, end), filterChainMatch: undefined })),
    ],
    filterChainMatcher:
      byName.length === 0
        ? meshNames
        : Matcher.create({
            matcherType: {
              $case: 'matcherTree',
              value: { input: serverName, treeType: { $case: 'exactMatchMap', value: { map: Object.fromEntries(byName) } } },
            },
            onNoMatch: { onMatch: { $case: 'matcher', value: meshNames } },
          }),
  });
}

/** What matches nothing has no chain and is closed. */
const meshNames = Matcher.create({
  matcherType: {
    $case: 'matcherTree',
    value: {
      input: serverName,
      treeType: { $case: 'prefixMatchMap', value: { map: { 'outbound_.': take(passthrough) } } },
    },
  },
});
