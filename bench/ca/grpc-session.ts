import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { type Svid, svidKeyPem } from '../../core/identity/svid.ts';

const headerBytes = 5;

/**
 * A connection to a control plane with one SVID, as gRPC has it on the wire: for fleets of thousands in one process, where a client library of many layers
 * for each would take the CPU that the control plane under test needs. It trusts whatever server it gets to, as that is not what is measured.
 */
export class GrpcSession {
  readonly #session: ClientHttp2Session;
  /** Resolves when it is gone, for whatever reason. */
  readonly closed: Promise<void>;

  constructor(port: number, secureContext: SecureContext) {
    const tls = connectTls({
      host: '127.0.0.1',
      port,
      secureContext,
      servername: 'control.isthmus',
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
    });
    this.#session = connect('https://control.isthmus', { createConnection: () => tls });
    this.closed = new Promise((resolve) => {
      const gone = () => {
        this.destroy();
        resolve();
      };
      tls.on('error', gone).on('close', gone);
      this.#session.on('error', gone).on('close', gone).on('goaway', gone);
    });
  }

  /** As gRPC's keepalive does it. */
  ping(): void {
    if (!this.#session.destroyed && !this.#session.connecting) this.#session.ping(() => undefined);
  }

  get open(): boolean {
    return !this.#session.destroyed && !this.#session.closed;
  }

  destroy(): void {
    this.#session.destroy();
  }

  /** Begins a call on a session that is open; `onMessage` gets each message of the reply. Its end, well or not, is the stream's 'close'. */
  call(path: string, onMessage: (message: Buffer) => void): ClientHttp2Stream {
    const stream = this.#session.request(
      { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
      { endStream: false },
    );
    let rest: Buffer = Buffer.alloc(0);
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= headerBytes) {
        const end = headerBytes + rest.readUInt32BE(1);
        if (rest.length < end) return;
        onMessage(rest.subarray(headerBytes, end));
        rest = rest.subarray(end);
      }
    });
    return stream;
  }
}

export function contextOf(svid: Svid): SecureContext {
  return createSecureContext({ key: svidKeyPem(svid), cert: svid.chainPem });
}

/** One message, not compressed, with its length before it. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, headerBytes);
  return frame;
}
