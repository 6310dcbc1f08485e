import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** Plain data, so that it can be sent to a process in another network namespace. */
export interface HttpRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string;
  /** Whole exchange, in milliseconds; 10 s unless said. */
  readonly timeoutMs?: number;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One request on a connection of its own, never pooled. Rejects on a transport error or time-out; any status resolves. */
export function exchange(request: HttpRequest): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const timeoutMs = request.timeoutMs ?? 10_000;
    const headers: Record<string, string | number> = { ...request.headers };
    // Node frames the body of no DELETE by itself.
    if (request.body !== undefined) headers['content-length'] = Buffer.byteLength(request.body);
    const options: RequestOptions & { ca?: string } = { method: request.method ?? 'GET', headers, agent: false };
    if (request.ca !== undefined) options.ca = request.ca;
    const send = request.url.startsWith('https:') ? httpsRequest : httpRequest;
    const outgoing = send(request.url, options, (reply) => collect(reply, resolve, reject));
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer from ${request.url} in ${timeoutMs} ms`)), timeoutMs);
    outgoing.once('close', () => clearTimeout(timer));
    outgoing.once('error', reject);
    outgoing.end(request.body);
  });
}

function collect(reply: IncomingMessage, resolve: (reply: HttpReply) => void, reject: (error: Error) => void): void {
  const chunks: Buffer[] = [];
  reply.on('data', (chunk: Buffer) => chunks.push(chunk));
  reply.once('error', reject);
  reply.once('end', () => {
    const headers = Object.fromEntries(Object.entries(reply.headers).map(([name, value]) => [name, String(value)]));
    resolve({ status: reply.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString('utf8') });
  });
}
