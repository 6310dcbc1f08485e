import { clusterSan, localClusterName, parseSniName, parseSpiffeId, principalOf } from '../../model/index.ts';
import { type EndpointGroup, noGroup, type Observation } from '../../telemetry/index.ts';
import {
  type AccessLogCommon,
  AccessLogType,
  type HTTPAccessLogEntry,
  type TCPAccessLogEntry,
} from '../gen/envoy/data/accesslog/v3/accesslog.ts';
import type { StreamAccessLogsMessage } from '../gen/envoy/service/accesslog/v3/als.ts';
import { flowTags } from './flow-log.ts';

/** One request or byte stream that Envoy has carried, as flow-log.ts makes Envoy tell it. */
export interface FlowEntry {
  /** Whom the certificate proved; undefined: not at the end of mTLS, or nobody of the mesh. */
  readonly peer: { readonly principal: string; readonly cluster: string } | undefined;
  /** It brought a certificate, whoever's. */
  readonly certified: boolean;
  /** The xDS cluster that was called by somebody who was closed as he came; empty: nobody was. */
  readonly refused: string;
  /** The direct peer's address; empty: not told. */
  readonly source: string;
  readonly route: string;
  /** As our own proxies name xDS clusters; empty: Envoy answered itself. */
  readonly cluster: string;
  /** Undefined: the application beside this proxy. */
  readonly group: EndpointGroup | undefined;
  readonly seen: Observation;
}

type Tags = Readonly<Record<string, string>>;

/** In the order of the message. Pure. */
export function readFlowEntries({ logEntries }: Pick<StreamAccessLogsMessage, 'logEntries'>): readonly FlowEntry[] {
  switch (logEntries?.$case) {
    case 'httpLogs':
      return logEntries.value.logEntry.map(requestEntry);
    case 'tcpLogs':
      return logEntries.value.logEntry.map(connectionEntry);
    default:
      return [];
  }
}

function requestEntry({ commonProperties: common, request, response }: HTTPAccessLogEntry): FlowEntry {
  const tags = common?.customTags ?? {};
  const grpc = textOf(tags, flowTags.grpcStatus);
  return {
    ...placeOf(common, tags),
    seen: {
      kind: 'request',
      attempts: attemptsOf(common),
      code: response?.responseCode ?? 0,
      ...(grpc === '' ? {} : { grpcCode: Number(grpc) }),
      flags: flagsOf(tags),
      bytesReceived: request?.requestBodyBytes ?? 0,
      bytesSent: response?.responseBodyBytes ?? 0,
      duration: durationOf(common),
    },
  };
}

function connectionEntry({ commonProperties: common, connectionProperties: bytes }: TCPAccessLogEntry): FlowEntry {
  const tags = common?.customTags ?? {};
  if (common?.accessLogType === AccessLogType.TcpUpstreamConnected) {
    return { ...placeOf(common, tags), seen: { kind: 'opened', attempts: 0, flags: [], bytesReceived: 0, bytesSent: 0, duration: 0 } };
  }
  const flags = flagsOf(tags);
  return {
    ...placeOf(common, tags),
    seen: {
      kind: 'connection',
      failed: flags.some((flag) => notConnected.has(flag)),
      attempts: attemptsOf(common),
      flags,
      bytesReceived: bytes?.receivedBytes ?? 0,
      bytesSent: bytes?.sentBytes ?? 0,
      duration: durationOf(common),
    },
  };
}

/** Of streams that no endpoint was had for. */
const notConnected: ReadonlySet<string> = new Set(['UF', 'UH', 'UO', 'NR', 'NC', 'URX']);

function placeOf(common: AccessLogCommon | undefined, tags: Tags): Omit<FlowEntry, 'seen'> {
  const named = common?.upstreamCluster ?? '';
  // A gateway's passthrough goes to an xDS cluster that is named like the server name.
  const target = parseSniName(named);
  const cluster = target === undefined ? named : localClusterName(target);
  const reached = common?.upstreamRemoteAddress !== undefined;
  const group = !reached ? noGroup : cluster.startsWith('inbound|') ? undefined : groupOf(tags);
  return {
    peer: peerOf(tags),
    certified: /[^ -]/.test(tags[flowTags.peer] ?? ''),
    refused: textOf(tags, flowTags.refused),
    source: sourceOf(common),
    route: common?.routeName ?? '',
    cluster,
    group,
  };
}

/** Envoy counts one for what it answered itself where a route led to endpoints. */
function attemptsOf(common: AccessLogCommon | undefined): number {
  return common?.upstreamRequestAttemptCount ?? 0;
}

function groupOf(tags: Tags): EndpointGroup {
  return {
    cluster: textOf(tags, flowTags.cluster),
    locality: textOf(tags, flowTags.locality),
    runtime: textOf(tags, flowTags.runtime),
    viaGateway: textOf(tags, flowTags.via) === 'gateway',
  };
}

function sourceOf(common: AccessLogCommon | undefined): string {
  const address = common?.downstreamDirectRemoteAddress?.address;
  return address?.$case === 'socketAddress' ? address.value.address : '';
}

/** Both names, each once: a certificate without either, or with more, is nobody's in this mesh. */
function peerOf(tags: Tags): FlowEntry['peer'] {
  const [uri = '', dns = ''] = textOf(tags, flowTags.peer).split(' ');
  const id = parseSpiffeId(uri);
  const cluster = dns.slice(0, Math.max(0, dns.indexOf('.')));
  if (id === undefined || cluster === '' || dns !== clusterSan(cluster, id.trustDomain)) return undefined;
  return { principal: principalOf(id), cluster };
}

function flagsOf(tags: Tags): readonly string[] {
  return textOf(tags, flowTags.flags)
    .split(',')
    .filter((flag) => flag !== '');
}

/** Envoy writes `-` where there is nothing. */
function textOf(tags: Tags, tag: string): string {
  const text = tags[tag] ?? '';
  return text === '-' ? '' : text;
}

/** ms. */
function durationOf(common: AccessLogCommon | undefined): number {
  const { seconds = 0, nanos = 0 } = common?.duration ?? {};
  return seconds * 1_000 + nanos / 1_000_000;
}
