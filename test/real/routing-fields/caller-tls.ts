import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { answered, none, patienceMs, type Sent, type Untimed } from './answer.ts';
import { overHttp2 } from './caller-http2.ts';
import type { Ask, TlsAsk } from './case.ts';

export interface OverTls {
  readonly sent: Sent;
  readonly over: Ask['over'];
  /** The folder that they are in. */
  readonly certificates: string;
}

/** One request on a TLS connection of its own. */
export async function overTls(port: number, tls: TlsAsk, { sent, over, certificates }: OverTls): Promise<Untimed> {
  const socket = await hello(port, tls, over === undefined ? 'http/1.1' : 'h2', certificates);
  if (socket === undefined) return none;
  const certificate = (socket.getPeerCertificate().subjectaltname ?? '').replace('DNS:', '');
  const server = { certificate, version: socket.getProtocol() ?? '' };
  const answer = over === undefined ? await overHttp1(socket, sent) : await overHttp2(socket, sent, over === 'grpc');
  socket.destroy();
  return { ...answer, server };
}

/** Undefined: it was refused. With TLS 1.3 that a client's certificate is refused is not known before the first answer. */
async function hello(port: number, { sni, client, maxVersion }: TlsAsk, alpn: string, folder: string): Promise<TLSSocket | undefined> {
  const at = (end: string) => readFile(join(folder, `${client}.${end}`));
  const own = client === undefined ? {} : { cert: await at('crt'), key: await at('key') };
  const said = { ...(sni === undefined ? {} : { servername: sni }), ...(maxVersion === undefined ? {} : { maxVersion }) };
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: [alpn], ...own, ...said });
    socket.once('secureConnect', () => resolve(socket));
    socket.on('error', () => resolve(undefined));
  });
}

function overHttp1(socket: TLSSocket, { method, path, authority, headers }: Sent): Promise<Untimed> {
  return new Promise((resolve) => {
    const asked = request({ createConnection: () => socket, method, path, headers: { host: authority, ...headers } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', () => resolve(none));
      response.on('end', () => resolve(answered(response.statusCode ?? 0, response.headers, response.trailers, text)));
    });
    asked.setTimeout(patienceMs, () => asked.destroy());
    asked.on('error', () => resolve(none));
    asked.end();
  });
}
