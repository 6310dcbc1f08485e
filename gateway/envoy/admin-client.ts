import { request } from 'node:http';
import { MeshError } from '../../core/errors.ts';

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

export interface AdminLimits {
  /** Default 1 MiB; more is MeshError LIMIT_EXCEEDED. */
  readonly maxBytes?: number;
  /** Default 2,000 ms; later is MeshError DEADLINE_EXCEEDED. */
  readonly timeoutMs?: number;
}

/** Envoy's admin interface, on a socket of its owner. */
export class EnvoyAdmin {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** MeshError UPSTREAM_UNREACHABLE when nobody answers. */
  get(path: string, limits: AdminLimits = {}): Promise<AdminAnswer> {
    return this.#ask('GET', path, limits);
  }

  /** The same; Envoy changes something by it. */
  post(path: string, limits: AdminLimits = {}): Promise<AdminAnswer> {
    return this.#ask('POST', path, limits);
  }

  #ask(method: string, path: string, { maxBytes = 1024 * 1024, timeoutMs = 2_000 }: AdminLimits): Promise<AdminAnswer> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: this.#socket, method, path, agent: false, headers: { connection: 'close' } }, (answer) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (part: Buffer) => {
          bytes += part.length;
          parts.push(part);
          if (bytes <= maxBytes) return;
          fail(new MeshError('LIMIT_EXCEEDED', `Envoy's ${path} is longer than ${maxBytes} bytes`));
          outgoing.destroy();
        });
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }));
        answer.once('error', fail);
      });
      // Of the whole exchange, however slowly it trickles.
      const late = setTimeout(
        () => outgoing.destroy(new MeshError('DEADLINE_EXCEEDED', `Envoy's ${path} took longer than ${timeoutMs} ms`)),
        timeoutMs,
      );
      outgoing.once('error', fail);
      outgoing.once('close', () => clearTimeout(late));
      outgoing.end();
      function fail(cause: Error): void {
        reject(
          cause instanceof MeshError ? cause : new MeshError('UPSTREAM_UNREACHABLE', `Envoy does not answer: ${cause.message}`, { cause }),
        );
      }
    });
  }
}
