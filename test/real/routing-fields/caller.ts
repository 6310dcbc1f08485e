import { request } from 'node:http';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Answer, answered, none, patienceMs, type Sent, type Untimed } from './answer.ts';
import { overHttp2 } from './caller-http2.ts';
import { overTls } from './caller-tls.ts';
import type { Ask } from './case.ts';

/** What callers have. */
export interface Kept {
  readonly cookies: Map<string, string>;
  /** The folder that they are in. */
  readonly certificates: string;
}

/** One call on a connection of its own. Never rejects. */
export async function call(port: number, ask: Ask, index: number, kept: Kept): Promise<Answer> {
  const begin = performance.now();
  const answer = await talk(port, ask, index, kept);
  return { ...answer, ms: performance.now() - begin };
}

function talk(port: number, ask: Ask, index: number, { cookies, certificates }: Kept): Promise<Untimed> {
  if (ask.dial !== undefined) return bytes(port, ask.dial);
  const sent = toSend(ask, index, cookies);
  if (ask.tls !== undefined) return overTls(port, ask.tls, { sent, over: ask.over, certificates });
  if (ask.over !== undefined) return overHttp2(port, sent, ask.over === 'grpc');
  return ask.webSocket === true ? webSocket(port, sent) : http(port, ask, sent, cookies);
}

function toSend(ask: Ask, index: number, cookies: ReadonlyMap<string, string>): Sent {
  const { path = '/', vary = '', keepCookies } = ask;
  const { host, ...headers } = Object.fromEntries(
    Object.entries(ask.headers ?? {}).map(([name, value]) => [name.toLowerCase(), typeof value === 'string' ? value : [...value]]),
  );
  const varied = vary === '' || vary.startsWith('?') ? {} : { [vary]: `value-${index}` };
  const cookie = keepCookies && cookies.size > 0 ? { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') } : {};
  return {
    method: ask.method ?? (ask.over === 'grpc' ? 'POST' : 'GET'),
    path: vary.startsWith('?') ? `${path}${vary}=value-${index}` : path,
    authority: host?.toString() ?? ask.service ?? 'reviews',
    headers: { ...headers, ...varied, ...cookie },
  };
}

function http(port: number, { bodyBytes = 0, from }: Ask, sent: Sent, cookies: Map<string, string>): Promise<Untimed> {
  const { method, path, headers, authority } = sent;
  return new Promise((resolve) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        agent: false,
        headers: { host: authority, ...headers },
        ...(from === undefined ? {} : { localAddress: from }),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', () => resolve(none));
        response.on('end', () => {
          for (const set of response.headers['set-cookie'] ?? []) {
            const [name = '', value = ''] = (set.split(';')[0] ?? '').split('=');
            cookies.set(name, value);
          }
          resolve(answered(response.statusCode ?? 0, response.headers, response.trailers, text));
        });
      },
    );
    asked.setTimeout(patienceMs, () => asked.destroy());
    asked.on('error', () => resolve(none));
    asked.end('x'.repeat(bodyBytes));
  });
}

/** Says one word when it is open, and closes when it has been heard. */
function webSocket(port: number, { path, headers, authority }: Sent): Promise<Untimed> {
  const own = { host: authority, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AA==' };
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: false, headers: { ...own, ...headers } });
    asked.setTimeout(patienceMs, () => asked.destroy());
    asked.on('error', () => resolve(none));
    asked.on('response', (response) => {
      response.resume();
      resolve(answered(response.statusCode ?? 0, response.headers, {}, ''));
    });
    asked.on('upgrade', (response, socket, head) => {
      let text = head.toString();
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.endsWith('hello')) socket.end();
      });
      socket.setTimeout(patienceMs, () => socket.destroy());
      socket.on('error', () => {});
      socket.on('close', () => resolve({ status: 101, headers: response.headers, trailers: {}, text }));
      socket.write('hello');
    });
    asked.end();
  });
}

/** An answer in bytes counts as 200, however its connection ends. */
function bytes(port: number, { sni }: NonNullable<Ask['dial']>): Promise<Untimed> {
  return new Promise((resolve) => {
    const at = { host: '127.0.0.1', port };
    const socket = sni === undefined ? connect(at) : connectTls({ ...at, servername: sni, rejectUnauthorized: false });
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(patienceMs, () => socket.destroy());
    socket.on(sni === undefined ? 'connect' : 'secureConnect', () => socket.write('hello'));
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      const [by = ''] = text.split(' ');
      resolve(text === '' ? none : { ...none, status: 200, text, seen: { by, method: '', path: '', headers: {} } });
    });
  });
}
