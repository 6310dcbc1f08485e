import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { Digest } from '../outcome.ts';

export interface HttpCall {
  /** 127.0.0.1 unless said. */
  readonly address?: string;
  readonly port: number;
  readonly method?: string;
  readonly path?: string;
  /** Name, value, name, value: order and duplicates as given. `host` is added where it is missing. */
  readonly headers?: readonly string[];
  readonly body?: Uint8Array;
  /** Instead of `body`: writes what it wants and ends the request. */
  readonly send?: (request: ClientRequest) => void;
}

/** An alias, as only those are outcomes to the compiler. */
export type HttpAnswer = {
  readonly status: number;
  /** Those that matter, in the order of their names; repeated ones as a list. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Short ones as text, long ones as count and hash. */
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
  readonly ended: 'whole' | 'broken';
};

/** Not compared: when it was, what made it, how long that took, and what holds for one hop alone. */
const incidental = /^(date|server|connection|keep-alive|x-request-id|x-forwarded-proto|x-envoy-.*)$/;
const shortBody = 512;

/** One request on a connection of its own, to its end, whole or not. Rejects where no answer comes. */
export function httpCall(call: HttpCall): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const sent = startCall(call);
    sent.once('error', reject);
    sent.once('response', (response) => {
      sent.on('error', () => {});
      readAnswer(response).then(resolve, reject);
    });
  });
}

export function startCall({ address = '127.0.0.1', port, method = 'GET', path = '/', headers = [], body, send }: HttpCall): ClientRequest {
  const named = headers.some((each, i) => i % 2 === 0 && each.toLowerCase() === 'host');
  const all = named ? [...headers] : ['host', 'app.shop.mesh.internal', ...headers];
  const sent = request({ host: address, port, method, path, headers: all, agent: false, setHost: false });
  if (send !== undefined) send(sent);
  else sent.end(body);
  return sent;
}

export async function readAnswer(response: IncomingMessage): Promise<HttpAnswer> {
  const digest = new Digest();
  const first: Buffer[] = [];
  let ended: 'whole' | 'broken' = 'whole';
  try {
    for await (const chunk of response) {
      digest.add(chunk as Buffer);
      if (digest.bytes <= shortBody) first.push(chunk as Buffer);
    }
    if (!response.complete) ended = 'broken';
  } catch {
    ended = 'broken';
  }
  return {
    status: response.statusCode ?? 0,
    headers: headersThatMatter(response.rawHeaders),
    body: digest.bytes <= shortBody ? Buffer.concat(first).toString('utf8') : digest.text,
    trailers: Object.fromEntries(Object.entries(response.trailers).map(([name, value]) => [name, String(value)])),
    ended,
  };
}

/** Names are case-insensitive, and order matters only among those of one name (RFC 9110 §5.1, §5.3). */
export function headersThatMatter(raw: readonly string[]): Record<string, string | readonly string[]> {
  const values = new Map<string, string[]>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const value = stable(raw[i + 1] ?? '');
    if (incidental.test(name)) continue;
    values.set(name, [...(values.get(name) ?? []), name === 'x-forwarded-for' ? hopsOf(value) : value]);
  }
  const sorted = [...values].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, list]) => [name, list.length === 1 ? (list[0] ?? '') : list]));
}

/** Envoy writes a caller on its own machine by another of the machine's addresses. */
function hopsOf(forwardedFor: string): string {
  const own = new Set(Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address)));
  const hops = forwardedFor.split(',').map((each) => each.trim());
  return hops.map((hop) => (own.has(hop) ? 'this machine' : hop)).join(', ');
}

/** Fingerprints of certificates and ports are new in each run. */
function stable(value: string): string {
  return value.replace(/Hash=[0-9a-f]{64}/g, 'Hash=*').replace(/127\.0\.0\.1:[0-9]+/g, '127.0.0.1:*');
}
