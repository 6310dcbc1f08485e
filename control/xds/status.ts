import { formatSpiffeId } from '../../core/model/index.ts';
import type { ClientKind, DialectName } from '../../core/xds/index.ts';
import type { StreamStatus } from '../../core/xds/server/index.ts';
import type { ClientFacts } from './caller.ts';

/** One connected client, for `isthmus status`: all its streams together. */
export interface XdsClientStatus extends StreamStatus {
  /** SPIFFE-ID#INSTANCE */
  readonly id: string;
  readonly dialect: DialectName;
  readonly kind: ClientKind;
  readonly identity: string;
  readonly instance: string;
  /** Mesh cluster, as its certificate proves. */
  readonly cluster: string;
  readonly network: string;
  /** region/zone/subzone; may be empty. */
  readonly locality: string;
  readonly labels: Readonly<Record<string, string>>;
  /** It says itself what it serves: told what agents are, whatever its kind. */
  readonly claimsOwn: boolean;
  readonly version: string;
  /** What moves the bytes of our own proxy, by its own word. */
  readonly engine?: string;
  /** Mesh clusters that a proxyless gRPC client can take endpoints of; empty for others. */
  readonly anchors: readonly string[];
}

type ClientStream = StreamStatus & { readonly client: ClientFacts };

/** Envoy may hold a stream for each type, and two processes of one id may run for a while: the worst of them is what shows. */
export function clientStatuses(streams: readonly ClientStream[]): XdsClientStatus[] {
  const clients = new Map<string, XdsClientStatus>();
  for (const stream of streams) {
    const before = clients.get(stream.client.id);
    clients.set(stream.client.id, before === undefined ? statusOf(stream) : joined(before, stream));
  }
  return [...clients.values()];
}

function statusOf({ client, ...stream }: ClientStream): XdsClientStatus {
  const { identity, claims, id, dialect, kind, instance, cluster, network, locality, labels, version, engine } = client;
  return {
    ...stream,
    id,
    dialect,
    kind,
    identity: formatSpiffeId(identity),
    instance,
    cluster,
    network,
    locality,
    labels,
    claimsOwn: claims.http.length > 0,
    version,
    ...(engine === undefined ? {} : { engine }),
    anchors: claims.anchors,
  };
}

function joined(client: XdsClientStatus, stream: StreamStatus): XdsClientStatus {
  const lastAnswerAt = Math.max(client.lastAnswerAt ?? 0, stream.lastAnswerAt ?? 0);
  const lastNack = (client.lastNack?.at ?? 0) > (stream.lastNack?.at ?? 0) ? client.lastNack : stream.lastNack;
  return {
    ...client,
    connectedAt: Math.min(client.connectedAt, stream.connectedAt),
    ...(lastAnswerAt === 0 ? {} : { lastAnswerAt }),
    ...(lastNack === undefined ? {} : { lastNack }),
    current: client.current && stream.current,
    dataAgeMs: Math.max(client.dataAgeMs, stream.dataAgeMs),
    types: [...client.types, ...stream.types],
  };
}
