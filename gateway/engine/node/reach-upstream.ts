import type { Duplex } from 'node:stream';
import { Attempts, type Balancer } from '../../balance/index.ts';
import { calledBy } from '../caller.ts';
import type { AttemptFailure, ClusterTable, DialRequest, DialResult, EndpointAttempt } from '../contract.ts';
import { abortStream } from './abort-stream.ts';
import type { Connection } from './connection.ts';
import { firstByte } from './first-byte.ts';

export interface ReachOptions {
  readonly balancer: Balancer;
  readonly maxAttempts: number;
  readonly ejected: () => ReadonlySet<string>;
  readonly dial: (request: DialRequest) => Promise<DialResult>;
  readonly onAttempt: (attempt: EndpointAttempt) => void;
}

/** What was read while waiting for the first byte, and is owed to the other side. */
export interface Reached {
  readonly socket: Duplex;
  readonly fromUpstream?: Buffer;
  readonly fromDownstream?: Buffer;
  readonly downstreamEnded: boolean;
  /** To be called when the connection has ended, however: until then it counts as one that its endpoint serves. */
  readonly release: () => void;
}

/**
 * Connects to one endpoint after another until one shows life. `preface`: bytes the caller has sent already (a ClientHello);
 * each endpoint gets them, and one that closes without a byte in answer has seen nothing it could act on, so the next is tried. Without a
 * preface the same holds while the caller has sent nothing either. Undefined: given up, and the connection says why.
 */
export async function reachUpstream(
  connection: Connection,
  downstream: Duplex,
  cluster: ClusterTable,
  preface: Buffer | undefined,
  options: ReachOptions,
): Promise<Reached | undefined> {
  const attempts = new Attempts(options.balancer, cluster, options.maxAttempts);
  let last: { readonly failure: AttemptFailure; readonly reason: string } | undefined;
  for (let endpoint = attempts.next(options.ejected()); endpoint !== undefined; endpoint = attempts.next(options.ejected())) {
    connection.attempts = attempts.count;
    connection.upstream = endpoint;
    const { connectTimeoutMs, name: clusterName } = cluster;
    const called = calledBy(endpoint, cluster, { ...connection, socket: downstream });
    const dialled = await options.dial({ clusterName, endpoint: called, connectTimeoutMs, signal: connection.abort.signal });
    const outcome = dialled.ok ? await probe(connection, downstream, dialled.socket, preface) : dialled;
    if (outcome.ok) {
      options.onAttempt({ clusterName, endpoint, result: 'ok' });
      return { ...outcome.reached, release: () => attempts.end() };
    }
    if (outcome.failure === 'aborted') {
      attempts.end();
      return undefined;
    }
    if (outcome.failure === 'overflow') {
      attempts.end();
      connection.fault('upstream-overflow', outcome.reason, 'UO');
      return undefined;
    }
    options.onAttempt({ clusterName, endpoint, result: outcome.failure });
    attempts.failed(endpoint, outcome.failure);
    last = outcome;
  }
  if (last === undefined) connection.fault('no-endpoint', `no endpoint of ${cluster.name} takes connections`, 'UH');
  else if (attempts.count > 1)
    connection.fault(`upstream-${last.failure}`, `${attempts.count} attempts, the last: ${last.reason}`, 'UF', 'URX');
  else connection.fault(`upstream-${last.failure}`, last.reason, 'UF');
  return undefined;
}

type Probed =
  | { readonly ok: true; readonly reached: Omit<Reached, 'release'> }
  | { readonly ok: false; readonly failure: AttemptFailure; readonly reason: string };

async function probe(connection: Connection, downstream: Duplex, socket: Duplex, preface: Buffer | undefined): Promise<Probed> {
  connection.owns(socket);
  // Before the first listener of the pump, so that a break in between is not uncaught.
  socket.on('error', () => {});
  if (preface !== undefined) socket.write(preface);
  const first = await firstByte(downstream, socket, preface === undefined);
  switch (first.kind) {
    case 'upstream':
      return { ok: true, reached: { socket, fromUpstream: first.chunk, downstreamEnded: false } };
    case 'downstream':
      return { ok: true, reached: { socket, fromDownstream: first.chunk, downstreamEnded: false } };
    case 'downstream-ended':
      return { ok: true, reached: { socket, downstreamEnded: true } };
    case 'closed':
      connection.disowns(socket);
      socket.destroy();
      return { ok: false, failure: 'early-close', reason: 'closed before it sent a byte' };
    case 'downstream-gone':
      connection.fault('downstream-reset', 'the caller went away before the endpoint answered', 'DC');
      // It has the preface, which it must not take for a whole stream.
      abortStream(socket);
      return { ok: false, failure: 'aborted', reason: 'caller gone' };
  }
}
