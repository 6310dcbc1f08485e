import { connect } from 'node:net';
import { destinationKey } from '../capture-contract.ts';
import type { ConnectionSource } from '../contract.ts';
import { sourceAllowed } from '../source-allowed.ts';
import { abortStream } from './abort-stream.ts';
import type { Connection } from './connection.ts';
import { connected, keepAliveAfterMs } from './dialer.ts';
import type { EngineParts } from './engine-parts.ts';
import { pump } from './pump.ts';
import { servePlain } from './serve-plain.ts';

/** As Istio's logs name connections that go on unchanged. */
const passthroughName = 'PassthroughCluster';

/** A connection that a packet filter led here: by the rule of where it was to go, or else on to there, byte for byte. */
export async function serveCaptured(connection: Connection, parts: EngineParts): Promise<void> {
  const to = parts.options.originalDestination?.(connection.socket);
  if (to === undefined || destinationKey(to) === destinationKey(connection.destination)) {
    connection.fault('not-captured', 'it was dialled as it is: no packet filter led it here', 'NR');
    return abortStream(connection.socket);
  }
  connection.destination = to;
  const rule = parts.tables().captured?.get(connection.listener);
  const name = rule?.byDestination.get(destinationKey(to));
  if (name !== undefined) {
    connection.listener = name;
    return servePlain(connection, parts);
  }
  if (rule === undefined || sourceAllowed(rule.closed, to.address)) {
    connection.fault('no-route', `nothing of the mesh is at ${to.address}:${to.port}`, 'NR');
    return abortStream(connection.socket);
  }
  return passOn(connection, to, parts);
}

/** Of whom nobody here knows anything: no retries, no timers, no verdict on its health; each end and break is passed on as it comes. */
async function passOn(connection: Connection, { address, port }: ConnectionSource, { options }: EngineParts): Promise<void> {
  connection.clusterName = passthroughName;
  connection.attempts = 1;
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: keepAliveAfterMs };
  const upstream = connect({ host: address, port, allowHalfOpen: true, noDelay: true, ...keepAlive });
  connection.owns(upstream);
  const refused = await connected(upstream);
  if (refused !== undefined) {
    connection.fault('upstream-connect', refused.message, 'UF');
    return abortStream(connection.socket);
  }
  connection.outcome = 'forward';
  options.onForward?.(connection.report(options.clock.monotonic()));
  const end = await pump(connection.socket, upstream, abortStream, {
    downstreamEnded: false,
    onBytes: (direction, length) => {
      if (direction === 'up') connection.bytesReceived += length;
      else connection.bytesSent += length;
    },
    onHalfClosed: () => {},
  });
  if (end.broken === 'downstream') connection.fault('downstream-reset', end.detail, 'DC');
  if (end.broken === 'upstream') connection.fault('upstream-reset', end.detail, 'UC');
  if (end.broken !== 'none') for (const stream of [connection.socket, upstream]) abortStream(stream);
  else for (const stream of [connection.socket, upstream]) stream.destroy();
}
