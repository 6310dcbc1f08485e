import { connect, constants } from 'node:http2';
import { isIPv6 } from 'node:net';
import { grpcHealthPath, grpcHealthRequest, grpcSaysServing } from '../../core/grpc-health.ts';
import { type ProbeTarget, probeSocket } from './probe-socket.ts';
import type { CheckResult } from './thresholds.ts';

export interface GrpcProbe extends ProbeTarget {
  readonly kind: 'grpc';
  /** Empty: the whole server. */
  readonly service: string;
}

/** An answer is a few bytes. */
const maxReplyBytes = 4_096;

/** One call of grpc.health.v1.Health/Check on a connection of its own, without TLS. Never rejects. */
export function grpcProbe(probe: GrpcProbe, timeoutMs: number): Promise<CheckResult> {
  const { host, port, service } = probe;
  return new Promise((resolve) => {
    const what = service === '' ? 'gRPC health' : `gRPC health of ${service}`;
    const session = connect(`http://${isIPv6(host) ? `[${host}]` : host}:${port}`, {
      settings: { enablePush: false },
      createConnection: () => probeSocket(probe),
    });
    const finish = (ok: boolean, reason: string) => {
      clearTimeout(timer);
      session.destroy();
      resolve({ ok, reason: `${what}: ${reason}` });
    };
    const timer = setTimeout(() => finish(false, `no answer in ${timeoutMs} ms`), timeoutMs);
    session.on('error', (error) => finish(false, error.message));
    session.on('close', () => finish(false, 'closed before an answer'));
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: grpcHealthPath,
      'content-type': 'application/grpc',
      'user-agent': 'isthmus-health/1',
      te: 'trailers',
    });
    let status = '';
    let reply = Buffer.alloc(0);
    stream.on('error', (error) => finish(false, error.message));
    stream.on('response', (head) => {
      status = String(head['grpc-status'] ?? '');
      if (head[':status'] !== 200) finish(false, `HTTP ${String(head[':status'])}`);
    });
    stream.on('trailers', (trailers) => {
      status = String(trailers['grpc-status'] ?? status);
    });
    stream.on('data', (chunk: Buffer) => {
      reply = Buffer.concat([reply, chunk]);
      if (reply.length > maxReplyBytes) finish(false, 'an answer that is too long');
    });
    // Trailers may come in the same turn as the end.
    stream.on('end', () =>
      setImmediate(() => {
        if (status !== '0') finish(false, status === '5' ? 'the server does not know that service' : `status ${status || 'missing'}`);
        else finish(grpcSaysServing(reply), grpcSaysServing(reply) ? 'SERVING' : 'not SERVING');
      }),
    );
    stream.end(grpcHealthRequest(service));
  });
}
