import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { AccessLog } from '../gen/envoy/config/accesslog/v3/accesslog.ts';
import { ApiVersion } from '../gen/envoy/config/core/v3/config_source.ts';
import type { Filter } from '../gen/envoy/config/listener/v3/listener_components.ts';
import {
  CommonGrpcAccessLogConfig,
  HttpGrpcAccessLogConfig,
  TcpGrpcAccessLogConfig,
} from '../gen/envoy/extensions/access_loggers/grpc/v3/als.ts';
import { FilterStateValue, FilterStateValue_SharedWithUpstream } from '../gen/envoy/extensions/filters/common/set_filter_state/v3/value.ts';
import { duration } from './any.ts';
import { agentClusterName } from './names.ts';
import { setAfterHandshake } from './set-filter-state.ts';

/*
 * What Envoy carried goes, entry by entry, to the agent or gateway of its node, which counts (flow-entry.ts) and tells the control plane
 * the counts. Entries never leave the node: they have paths in them, and there is one for each request.
 */

/** Who asked: this proxy's own workload, a peer at the end of mTLS, or that peer by way of the internal hop. */
export type CountedFor = 'caller' | 'mtls-end' | 'hop';

/** Names of the values that are in an entry beside Envoy's own fields. */
export const flowTags = {
  flags: 'flags',
  /** Of gRPC calls. */
  grpcStatus: 'grpc',
  /** URI SANs, a blank, DNS SANs. */
  peer: 'peer',
  cluster: 'cluster',
  locality: 'locality',
  runtime: 'runtime',
  via: 'via',
  /** Of connections that were closed as they came: the xDS cluster that was called. */
  refused: 'refused',
} as const;

const peerKey = 'isthmus.peer';
const peerNames = '%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_DNS_SAN%';

/** Where the end of mTLS is not what counts: remembers the peer for the hop behind it. */
export const keepPeer: Filter = setAfterHandshake(
  FilterStateValue.create({
    key: { $case: 'objectKey', value: peerKey },
    factoryKey: 'envoy.string',
    value: {
      $case: 'formatString',
      value: { format: { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: peerNames } } } },
    },
    readOnly: true,
    sharedWithUpstream: FilterStateValue_SharedWithUpstream.ONCE,
  }),
);

const common = (counted: CountedFor): Readonly<Record<string, string>> => ({
  [flowTags.flags]: '%RESPONSE_FLAGS%',
  ...(counted === 'caller' ? {} : { [flowTags.peer]: counted === 'hop' ? `%FILTER_STATE(${peerKey}:PLAIN)%` : peerNames }),
  [flowTags.cluster]: '%UPSTREAM_METADATA(isthmus:cluster)%',
  [flowTags.locality]: '%UPSTREAM_METADATA(isthmus:locality)%',
  [flowTags.runtime]: '%UPSTREAM_METADATA(isthmus:runtime)%',
  [flowTags.via]: '%UPSTREAM_METADATA(isthmus:via)%',
});

/** How long entries wait for others, ms; a drain waits as long. */
export const flowFlushMs = 1_000;
/** How much of them may wait in each of Envoy's threads, for each kind of entry; what is over is dropped and counted there. */
const bufferBytes = 256 * 1_024;

export function requestFlows(counted: CountedFor): AccessLog {
  const name = 'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig';
  const config = HttpGrpcAccessLogConfig.create({ commonConfig: commonConfig(counted) });
  const tags = { ...common(counted), [flowTags.grpcStatus]: '%GRPC_STATUS_NUMBER%' };
  return logger('envoy.access_loggers.http_grpc', name, HttpGrpcAccessLogConfig.encode(config).finish(), tags);
}

/** `refused`: see flowTags. */
export function connectionFlows(counted: CountedFor, refused?: string): AccessLog {
  const name = 'envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig';
  const config = TcpGrpcAccessLogConfig.create({ commonConfig: commonConfig(counted) });
  const tags = { ...common(counted), ...(refused === undefined ? {} : { [flowTags.refused]: refused }) };
  return logger('envoy.access_loggers.tcp_grpc', name, TcpGrpcAccessLogConfig.encode(config).finish(), tags);
}

/** The same for all listeners: Envoy keeps one stream for all loggers of equal configuration. */
function commonConfig(counted: CountedFor): CommonGrpcAccessLogConfig {
  return CommonGrpcAccessLogConfig.create({
    logName: counted === 'caller' ? 'caller' : 'mtls-end',
    transportApiVersion: ApiVersion.V3,
    grpcService: { targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: agentClusterName } } },
    bufferFlushInterval: duration(flowFlushMs),
    bufferSizeBytes: bufferBytes,
  });
}

/** `config`: its first field is CommonGrpcAccessLogConfig, as of both kinds. */
function logger(name: string, type: string, config: Uint8Array, tags: Readonly<Record<string, string>>): AccessLog {
  // custom_tags with `value`, which is newer than the generated messages: the same field again adds to what is there.
  const more = new BinaryWriter().uint32((1 << 3) | 2).fork();
  for (const [tag, value] of Object.entries(tags)) {
    more
      .uint32((8 << 3) | 2)
      .fork()
      .uint32((1 << 3) | 2)
      .string(tag)
      .uint32((6 << 3) | 2)
      .string(value)
      .join();
  }
  more.join();
  const typed = { typeUrl: `type.googleapis.com/${type}`, value: Buffer.concat([config, more.finish()]) };
  return AccessLog.create({ name, configType: { $case: 'typedConfig', value: typed } });
}
