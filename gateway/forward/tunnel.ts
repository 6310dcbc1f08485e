import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { abortStream, pump, type ResponseFlag } from '../engine/index.ts';
import { headerOf, headerPairs, responseHeaders } from './headers.ts';

/** One end of a connection that HTTP has let go of, with what was read too far. */
export interface UpgradeEnd {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Passes the 101 on, then bytes both ways until the end; the flag says who broke it off. */
export async function tunnel(
  downstream: UpgradeEnd,
  upstream: UpgradeEnd & { readonly response: IncomingMessage },
  on: { readonly onBytes: (length: number) => void; readonly touch: () => void },
): Promise<ResponseFlag | undefined> {
  const { response } = upstream;
  const status = response.statusCode ?? 101;
  const headers = [
    ...responseHeaders(response.rawHeaders),
    'connection',
    'upgrade',
    'upgrade',
    headerOf(response.rawHeaders, 'upgrade') ?? '',
  ];
  const lines = [...headerPairs(headers)].map(([name, value]) => `${name}: ${value}\r\n`);
  downstream.socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`, 'latin1');
  const end = await pump(downstream.socket, upstream.socket, abortStream, {
    fromDownstream: downstream.head,
    fromUpstream: upstream.head,
    downstreamEnded: false,
    onBytes: (direction, length) => (direction === 'down' ? on.onBytes(length) : on.touch()),
    onHalfClosed: on.touch,
  });
  const close = end.broken === 'none' ? (stream: Duplex) => stream.destroy() : abortStream;
  close(downstream.socket);
  close(upstream.socket);
  return end.broken === 'none' ? undefined : end.broken === 'downstream' ? 'DC' : 'UC';
}
