import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Ask } from './case.ts';

export interface Answer {
  /** 0: none came. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** What the backend says it saw, where one answered. */
  readonly seen?: { readonly by: string; readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders };
  readonly ms: number;
}

/** One call on a connection of its own. Never rejects. */
export async function call(port: number, ask: Ask, index: number, cookies: Map<string, string>): Promise<Answer> {
  const begin = performance.now();
  const answer = await (ask.dial === undefined ? http(port, ask, index, cookies) : bytes(port, ask.dial));
  return { ...answer, ms: performance.now() - begin };
}

type Untimed = Omit<Answer, 'ms'>;
const none: Untimed = { status: 0, headers: {}, text: '' };

function http(port: number, ask: Ask, index: number, cookies: Map<string, string>): Promise<Untimed> {
  const { method = 'GET', path = '/', headers = {}, vary = '', from, keepCookies } = ask;
  const varied = vary === '' || vary.startsWith('?') ? {} : { [vary]: `value-${index}` };
  const cookie = keepCookies && cookies.size > 0 ? { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') } : {};
  const target = vary.startsWith('?') ? `${path}${vary}=value-${index}` : path;
  return new Promise((resolve) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path: target,
        agent: false,
        headers: { host: ask.service ?? 'reviews', ...headers, ...varied, ...cookie },
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
          const seen =
            response.headers['x-by'] === undefined || text === '' ? {} : { seen: JSON.parse(text) as NonNullable<Answer['seen']> };
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, ...seen });
        });
      },
    );
    sent.setTimeout(20_000, () => sent.destroy());
    sent.on('error', () => resolve(none));
    sent.end();
  });
}

/** An answer in bytes counts as 200. */
function bytes(port: number, { sni }: NonNullable<Ask['dial']>): Promise<Untimed> {
  return new Promise((resolve) => {
    const at = { host: '127.0.0.1', port };
    const socket = sni === undefined ? connect(at) : connectTls({ ...at, servername: sni, rejectUnauthorized: false });
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(20_000, () => socket.destroy());
    socket.on(sni === undefined ? 'connect' : 'secureConnect', () => socket.write('hello'));
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => resolve(none));
    socket.on('close', () =>
      resolve(text === '' ? none : { ...none, status: 200, text, seen: { by: text, method: '', path: '', headers: {} } }),
    );
  });
}
