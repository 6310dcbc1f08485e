import type { KeyObject } from 'node:crypto';
import { type ConnectionOptions, connect } from 'node:tls';
import { certificatesToPem, keyToPem } from '../../../../core/pki/index.ts';

/** What a caller shows: leaf first. */
export interface ShownIdentity {
  readonly chain: readonly Uint8Array[];
  readonly key: KeyObject;
}

export interface MtlsCall {
  readonly port: number;
  readonly sni: string | undefined;
  readonly identity: ShownIdentity | undefined;
  readonly alpn?: readonly string[];
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  readonly send: string;
}

export interface MtlsAnswer {
  /** Text that came back; a client of TLS 1.3 learns only by the silence after it that its certificate was refused. */
  readonly text: string;
  /** URI SAN of the server's certificate; empty: it showed none. */
  readonly server: string;
  readonly alpn: string;
}

const quietMs = 3_000;

/** One mTLS connection that believes whatever server answers: only the other side's judgement is looked at. Never rejects. */
export function mtlsCall({ port, sni, identity, alpn, maxVersion, send }: MtlsCall): Promise<MtlsAnswer> {
  const options: ConnectionOptions = {
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    ...(sni === undefined ? {} : { servername: sni }),
    ...(identity === undefined ? {} : { key: keyToPem(identity.key), cert: certificatesToPem(identity.chain) }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    ...(maxVersion === undefined ? {} : { maxVersion, minVersion: 'TLSv1.2' }),
  };
  return new Promise((resolve) => {
    let text = '';
    let server = '';
    const socket = connect(options);
    const timer = setTimeout(() => socket.destroy(), quietMs);
    socket.once('secureConnect', () => {
      server = /URI:([^,\s]+)/.exec(socket.getPeerCertificate().subjectaltname ?? '')?.[1] ?? '';
      socket.write(send);
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      socket.end();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timer);
      resolve({ text, server, alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : '' });
    });
  });
}
