import { request as httpRequest } from 'node:http';
import { type ClientHttp2Stream, constants, connect as http2Connect, type OutgoingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../core/clock.ts';
import { grpcHealthPath, grpcHealthRequest, grpcSaysServing } from '../../../core/grpc-health.ts';
import type { HealthCheck } from '../../../core/traffic/index.ts';
import type { ClusterTable, DialRequest, DialResult } from '../../engine/contract.ts';
import type { EndpointState } from '../../state/types.ts';
import { probeTcp } from '../probe-tcp.ts';
import type { PerformCheck } from './active-checks.ts';
import type { CheckResult } from './check-state.ts';

export interface CheckParts {
  readonly clock: Clock;
  /** Proves the endpoint where it has TLS: a stranger's good answer is none. */
  readonly dial: (request: DialRequest) => Promise<DialResult>;
}

const userAgent = 'isthmus-health-check';
/** The grpc.health.v1 answer is a few bytes. */
const maxReplyBytes = 1_024;

/** Checks by HTTP, TCP or gRPC, on a connection of their own, within the check's timeout. */
export function checkPerformer({ clock, dial }: CheckParts): PerformCheck {
  return async (cluster, endpoint, check, signal) => {
    const { timeoutMs } = check;
    if (endpoint.viaGateway) return (await probeTcp(endpoint.address, endpoint.port, timeoutMs, clock)) === 'open' ? 'good' : 'failed';
    const over = new AbortController();
    const stop = () => over.abort();
    signal.addEventListener('abort', stop, { once: true });
    const timer = clock.sleep(timeoutMs, over.signal).then(
      () => over.abort(),
      () => undefined,
    );
    try {
      return await ask(dial, cluster, endpoint, check, over.signal);
    } finally {
      signal.removeEventListener('abort', stop);
      over.abort();
      await timer;
    }
  };
}

async function ask(
  dial: CheckParts['dial'],
  cluster: ClusterTable,
  endpoint: EndpointState,
  check: HealthCheck,
  signal: AbortSignal,
): Promise<CheckResult> {
  const http2 = check.type === 'grpc' || (check.type === 'http' && speaksHttp2(cluster));
  const alpn = http2 ? ['h2'] : check.type === 'http' ? ['http/1.1'] : [];
  const dialled = await dial({ clusterName: cluster.name, endpoint, connectTimeoutMs: check.timeoutMs, alpn, signal, always: true });
  if (!dialled.ok) return 'failed';
  const { socket } = dialled;
  const stop = () => socket.destroy();
  socket.on('error', () => {});
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) return 'failed';
    if (check.type === 'tcp') return 'good';
    if (check.type === 'grpc') return await askGrpc(socket, cluster.host, check);
    return await (http2 ? askHttp2(socket, cluster.host, check) : askHttp(socket, cluster.host, check));
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

function askHttp(socket: Duplex, host: string, check: HealthCheck): Promise<CheckResult> {
  return new Promise((resolve) => {
    const headers = { host: check.host ?? host, 'user-agent': userAgent, connection: 'close' };
    const request = httpRequest({ createConnection: () => socket, method: 'GET', path: check.path, headers, setHost: false });
    request.on('socket', (each) => each.resume());
    request.on('error', () => resolve('failed'));
    request.on('close', () => resolve('failed'));
    request.on('response', (response) => {
      response.resume();
      resolve(isExpected(response.statusCode ?? 0, check) ? 'good' : 'bad');
    });
    request.end();
  });
}

/** As its requests go. */
function speaksHttp2({ protocol = 'http', traffic }: ClusterTable): boolean {
  return protocol === 'http2' || protocol === 'grpc' || (protocol === 'http' && traffic?.connections?.h2Upgrade === true);
}

function askHttp2(socket: Duplex, host: string, check: HealthCheck): Promise<CheckResult> {
  return overHttp2(socket, check.host ?? host, { [constants.HTTP2_HEADER_PATH]: check.path }, (stream, end) => {
    stream.on('response', ({ ':status': status = 0 }) => end(isExpected(status, check) ? 'good' : 'bad'));
    stream.on('close', () => end('failed'));
  });
}

/** One request on a session of its own; the first `end` counts, and closes it. */
function overHttp2(
  socket: Duplex,
  authority: string,
  headers: OutgoingHttpHeaders,
  listen: (stream: ClientHttp2Stream, end: (result: CheckResult) => void) => void,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    const session = http2Connect(`http://${authority}`, { createConnection: () => socket, settings: { enablePush: false } });
    const end = (result: CheckResult) => {
      resolve(result);
      session.destroy();
    };
    session.on('error', () => end('failed'));
    session.on('close', () => end('failed'));
    const stream = session.request({ [constants.HTTP2_HEADER_AUTHORITY]: authority, 'user-agent': userAgent, ...headers });
    stream.on('error', () => end('failed'));
    listen(stream, end);
    socket.resume();
  });
}

function isExpected(status: number, { expectedStatuses }: HealthCheck): boolean {
  if (expectedStatuses.length === 0) return status === 200;
  return expectedStatuses.some(({ from, to }) => status >= from && status <= to);
}

/** grpc.health.v1.Health/Check: a message with one string asks, one with an enum answers. */
function askGrpc(socket: Duplex, host: string, check: HealthCheck): Promise<CheckResult> {
  const headers = {
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: grpcHealthPath,
    'content-type': 'application/grpc',
    te: 'trailers',
  };
  return overHttp2(socket, check.host ?? host, headers, (stream, end) => {
    let status = '';
    let reply = Buffer.alloc(0);
    stream.on('response', (head) => {
      status = String(head['grpc-status'] ?? '');
      if (head[':status'] !== 200) end('bad');
    });
    stream.on('trailers', (trailers) => {
      status = String(trailers['grpc-status'] ?? status);
    });
    stream.on('data', (chunk: Buffer) => {
      reply = Buffer.concat([reply, chunk]);
      if (reply.length > maxReplyBytes) end('failed');
    });
    stream.on('end', () => setImmediate(() => end(status === '0' && grpcSaysServing(reply) ? 'good' : 'bad')));
    stream.end(grpcHealthRequest(check.service));
  });
}
