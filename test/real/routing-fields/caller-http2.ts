import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { answered, none, patienceMs, type Sent, type Untimed } from './answer.ts';

/** One stream on a connection of its own: to this port in the clear with prior knowledge, or this one over TLS. `grpc`: one empty message. */
export function overHttp2(to: number | TLSSocket, { method, path, authority, headers }: Sent, grpc: boolean): Promise<Untimed> {
  return new Promise((resolve) => {
    const session: ClientHttp2Session =
      typeof to === 'number' ? connect(`http://127.0.0.1:${to}`) : connect('https://127.0.0.1', { createConnection: () => to });
    const end = (answer: Untimed) => {
      resolve(answer);
      session.destroy();
    };
    session.on('error', () => end(none));
    const own = grpc ? { 'content-type': 'application/grpc', te: 'trailers' } : {};
    const stream = session.request(
      { ':method': method, ':path': path, ':authority': authority, ...own, ...headers },
      { endStream: method === 'GET' },
    );
    let head: IncomingHttpHeaders & IncomingHttpStatusHeader = {};
    let trailers: IncomingHttpHeaders = {};
    let text = '';
    stream.setEncoding('utf8');
    stream.setTimeout(patienceMs, () => end(none));
    stream.on('response', (each) => {
      head = each;
    });
    stream.on('trailers', (each) => {
      trailers = each;
    });
    stream.on('data', (chunk: string) => {
      text += chunk;
    });
    stream.on('error', () => end(none));
    stream.on('close', () => end(head[':status'] === undefined ? none : answered(head[':status'], head, trailers, text)));
    if (method !== 'GET') stream.end(grpc ? Buffer.alloc(5) : undefined);
  });
}
