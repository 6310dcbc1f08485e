import type { Duplex } from 'node:stream';
import type { ClusterTable } from '../contract.ts';
import { abortStream } from './abort-stream.ts';
import type { Connection } from './connection.ts';
import type { EngineParts } from './engine-parts.ts';
import { pump } from './pump.ts';
import { reachUpstream } from './reach-upstream.ts';

/** The end of a connection as `forward`: reach an endpoint, then move bytes until both directions have ended or one side breaks. */
export async function serveForward(
  connection: Connection,
  downstream: Duplex,
  clusterName: string,
  preface: Buffer | undefined,
  parts: EngineParts,
): Promise<void> {
  const { clock, limits, onAttempt } = parts.options;
  const cluster = clusterOrFault(connection, clusterName, parts);
  if (cluster === undefined) return abortStream(downstream);
  const { idleTimeoutMs = limits.idleTimeoutMs, maxConnectionDurationMs = 0 } = cluster.traffic?.connections ?? {};
  let idleMs = idleTimeoutMs;
  const endsAt = maxConnectionDurationMs > 0 ? clock.monotonic() + maxConnectionDurationMs : Number.POSITIVE_INFINITY;
  const touch = () => {
    connection.movedAt = clock.monotonic();
    const idleAt = idleMs > 0 ? connection.movedAt + idleMs : Number.POSITIVE_INFINITY;
    connection.due(Math.min(idleAt, endsAt), endsAt < idleAt ? 'max-duration' : 'idle-timeout');
  };
  // With a preface the handshake's deadline goes on until something answers it; without, each attempt has its own limits.
  if (preface === undefined) touch();
  const reached = await reachUpstream(connection, downstream, cluster, preface, {
    balancer: parts.balancer,
    maxAttempts: limits.maxAttempts,
    ejected: () => parts.tables().ejected,
    dial: parts.dial,
    onAttempt,
  });
  if (reached === undefined) return abortStream(downstream);
  connection.outcome = 'forward';
  connection.bytesReceived += preface?.length ?? 0;
  parts.options.onForward?.(connection.report(clock.monotonic()));
  touch();
  const end = await pump(downstream, reached.socket, abortStream, {
    ...reached,
    onBytes: (direction, length) => {
      if (direction === 'up') connection.bytesReceived += length;
      else connection.bytesSent += length;
      touch();
    },
    onHalfClosed: () => {
      if (limits.halfCloseTimeoutMs > 0) idleMs = limits.halfCloseTimeoutMs;
      touch();
    },
  });
  reached.release();
  if (end.broken === 'downstream') connection.fault('downstream-reset', end.detail, 'DC');
  if (end.broken === 'upstream') connection.fault('upstream-reset', end.detail, 'UC');
  const close = end.broken === 'none' ? (stream: Duplex) => stream.destroy() : abortStream;
  close(downstream);
  close(reached.socket);
}

function clusterOrFault(connection: Connection, clusterName: string, parts: EngineParts): ClusterTable | undefined {
  connection.clusterName = clusterName;
  const cluster = parts.tables().clusters.get(clusterName);
  if (cluster === undefined) connection.fault('no-cluster', `cluster ${clusterName} is not known here`, 'NC');
  return cluster;
}
