import { connect as connectPlain } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';

export interface Asked {
  readonly method?: string;
  /** As it is sent. */
  readonly path?: string;
  readonly headers?: readonly string[];
  readonly host?: string;
  /** Default 127.0.0.1. */
  readonly source?: string;
  readonly token?: string;
  /** Which caller; default the first. */
  readonly caller?: number;
}

/** `tokens`: by name, for those who bring one. */
export const requests: readonly Asked[] = [
  {},
  { caller: 1 },
  { caller: 2, path: '/api/v1/orders' },
  { method: 'POST', path: '/api/v1/orders' },
  { method: 'DELETE', path: '/admin' },
  { path: '/admin?x=1', source: '127.0.0.2' },
  { path: '/admin/notes.txt' },
  { path: '//admin' },
  { path: '/api/./v1//orders?a=/../b' },
  { path: '/api%2fv1%5Corders' },
  { path: '/api/%2e%2e/%61dmin' },
  { path: '/api/v1/secret' },
  { path: '/a%00b' },
  { host: 'Orders.SHOP', method: 'PUT' },
  { host: 'orders.shop:8080' },
  { headers: ['X-Tenant: acme'] },
  { headers: ['x-tenant: b', 'x-tenant: acme'] },
  { headers: ['x-tenant:'] },
  { headers: ['x-sub: mallory', 'x-payload: mallory'] },
  { token: 'alice' },
  { token: 'alice', method: 'POST', path: '/api/v1/orders', headers: ['x-tenant: acme'], caller: 1 },
  { token: 'bob' },
  { token: 'expired' },
  { token: 'forged' },
  { token: 'stranger' },
  { path: '/?access_token=TOKEN&x=1', token: 'alice' },
  { path: '/?x=1&t=TOKEN', token: 'alice' },
  { headers: ['x-token: T TOKEN'], token: 'bob' },
  { headers: ['authorization: Bearer not.a.token'] },
  { headers: ['authorization: Basic abc'] },
  { method: 'OPTIONS', headers: ['origin: https://a', 'access-control-request-method: GET'], token: 'expired' },
];

/** Where the caller is taken for its SNI, and who it is. */
export interface Peer {
  readonly port: number;
  readonly servername: string;
  readonly cert: string;
  readonly key: string;
}

/** One connection, on which one request follows another; one that was closed is opened again. */
export class Caller {
  readonly #peer: Peer;
  readonly #source: string;
  #socket: TLSSocket | undefined;

  constructor(peer: Peer, source: string) {
    this.#peer = peer;
    this.#source = source;
  }

  /** Status, what told why, and what the application saw; `closed`: no answer. Not before the one before is answered. */
  async ask(asked: Asked, tokens: Readonly<Record<string, string>>): Promise<string> {
    const kept = this.#socket;
    if (kept !== undefined && !kept.destroyed) {
      const answer = await exchange(kept, textOf(asked, tokens));
      // The other side may have closed it just then.
      if (answer !== 'closed') return answer;
    }
    const { port, servername, cert, key } = this.#peer;
    const plain = connectPlain({ host: '127.0.0.1', port, localAddress: this.#source });
    plain.on('error', () => {});
    this.#socket = connect({ socket: plain, servername, cert, key, rejectUnauthorized: false });
    this.#socket.on('error', () => {});
    return exchange(this.#socket, textOf(asked, tokens));
  }

  close(): void {
    this.#socket?.destroy();
  }
}

function textOf(
  { method = 'GET', path = '/', headers = [], host = 'orders.shop', token }: Asked,
  tokens: Readonly<Record<string, string>>,
): string {
  const own = token === undefined ? '' : (tokens[token] ?? '');
  const bearer = token === undefined || [path, ...headers].join().includes('TOKEN') ? [] : [`authorization: Bearer ${own}`];
  return [`${method} ${path} HTTP/1.1`, `host: ${host}`, ...headers, ...bearer, '', ''].join('\r\n').replaceAll('TOKEN', own);
}

function exchange(socket: TLSSocket, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const end = () => {
      socket.off('data', take);
      socket.off('close', end);
      resolve(outcomeOf(answer));
    };
    const take = (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      if (isWhole(answer)) end();
    };
    socket.on('data', take);
    socket.on('close', end);
    socket.write(text);
  });
}

function isWhole(answer: string): boolean {
  const at = answer.indexOf('\r\n\r\n');
  const length = /^content-length: ([0-9]+)/im.exec(answer.slice(0, at))?.[1];
  return at >= 0 && length !== undefined && answer.length >= at + 4 + Number(length);
}

function outcomeOf(answer: string): string {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const status = /^HTTP\/1\.1 ([0-9]{3})/.exec(head)?.[1];
  if (status === undefined) return 'closed';
  // What a path is refused for has no words in Envoy.
  if (status === '400') return status;
  const told = /^www-authenticate: .*(error="[a-z_]+")/im.exec(head)?.[1] ?? '';
  return [status, told, body].filter((part) => part !== '').join(' ');
}
