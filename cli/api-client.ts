import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { PeerCertificate } from 'node:tls';
import type { ApiError } from '../core/admin/index.ts';
import type { MeshErrorCode } from '../core/errors.ts';
import { bundleOf, controlSpiffeId, serverFault } from '../core/identity/index.ts';
import { clusterSan } from '../core/model/index.ts';
import { pemBlocks } from '../core/pki/index.ts';
import { formatViolation } from '../core/validate.ts';
import { CliError, exitOf } from './cli-error.ts';
import type { ApiTarget } from './context/target.ts';
import { exitCode } from './exit-codes.ts';

const timeoutMs = 20_000;
const maxReplyBytes = 256 * 1024 * 1024;

/** Calls of one control plane's admin API. Each makes its own connection, and ends it. */
export class ApiClient {
  readonly #target: ApiTarget;
  readonly #signal: AbortSignal;

  constructor(target: ApiTarget, signal: AbortSignal) {
    this.#target = target;
    this.#signal = signal;
  }

  get<T>(path: string): Promise<T> {
    return this.#call<T>('GET', path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#call<T>('POST', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.#call<T>('DELETE', path);
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text } = await this.#exchange(method, path, body === undefined ? '' : JSON.stringify(body));
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new CliError(
        exitCode.failed,
        'PROTOCOL_ERROR',
        `${this.#where} answered ${status} with something that is not JSON`,
        'check that the address is that of an Isthmus API',
      );
    }
    if (status === 200) return value as T;
    throw refusal(status, value as Partial<ApiError>);
  }

  #exchange(method: string, path: string, body: string): Promise<{ status: number; text: string }> {
    const { host, port, caPem, credential } = this.#target;
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(this.#unreachable(error));
      const sent = request(
        {
          host,
          port,
          method,
          path,
          agent: false,
          ca: caPem,
          servername: '',
          minVersion: 'TLSv1.2',
          signal: this.#signal,
          timeout: timeoutMs,
          checkServerIdentity: (_host: string, certificate: PeerCertificate) => this.#serverFault(certificate),
          headers: {
            authorization: `Bearer ${credential}`,
            accept: 'application/json',
            ...(body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          },
        },
        (response) => readAll(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), fail),
      );
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
      sent.on('error', fail);
      sent.end(body);
    });
  }

  /** The server must be a control plane under the pinned root, or hold exactly the pinned certificate (before it has joined a mesh). */
  #serverFault(certificate: PeerCertificate): Error | undefined {
    const pins = pemBlocks(this.#target.caPem, 'CERTIFICATE');
    if (pins.some((pin) => pin.equals(certificate.raw))) return undefined;
    const trustDomain = /URI:spiffe:\/\/([^/,]+)\//.exec(certificate.subjectaltname ?? '')?.[1];
    if (trustDomain === undefined) return new Error('the server is not a control plane: its certificate has no SPIFFE id');
    const { cluster } = this.#target;
    return serverFault(certificate, bundleOf(trustDomain, pins), Date.now(), {
      uriSans: [controlSpiffeId(trustDomain)],
      ...(cluster === undefined ? {} : { clusterSan: clusterSan(cluster, trustDomain) }),
    });
  }

  get #where(): string {
    return `${this.#target.host}:${this.#target.port}`;
  }

  #unreachable(error: Error): CliError {
    const { code = '', message } = error as { code?: string; message: string };
    if (this.#signal.aborted) return new CliError(exitCode.failed, 'ABORTED', 'interrupted');
    if (/^(ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)|identity was refused|not a control plane/.test(`${code}${message}`)) {
      return new CliError(
        exitCode.refused,
        'IDENTITY_INVALID',
        `the server at ${this.#where} could not be verified: ${message}`,
        'check that --ca-file is the root of this mesh, and that the address is that of a control plane',
      );
    }
    return new CliError(
      exitCode.unreachable,
      'UPSTREAM_UNREACHABLE',
      `the control plane at ${this.#where} cannot be reached: ${message}`,
      'check that isthmus control runs there, and the address (--api, ISTHMUS_API or the context file)',
    );
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxReplyBytes) throw new Error(`the reply is larger than ${maxReplyBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function refusal(status: number, body: Partial<ApiError>): CliError {
  const { code = 'PROTOCOL_ERROR', message = `the API answered ${status}`, retryable = false, violations = [] } = body.error ?? {};
  const all =
    violations.length === 0
      ? message
      : `${status === 422 ? message : 'the request is not valid'}:\n${violations.map((v) => `  ${formatViolation(v)}`).join('\n')}`;
  if (status === 401)
    return new CliError(exitCode.refused, code, all, 'check --credential-file, ISTHMUS_CREDENTIAL_FILE or the context file');
  if (status === 403) return new CliError(exitCode.refused, code, all);
  if (status === 400 || status === 413 || status === 422) return new CliError(exitCode.invalid, code, all);
  // What the control plane itself could not reach is not there for whoever asked it either.
  const exit = (code in exitOf ? exitOf[code as MeshErrorCode] : undefined) ?? exitCode.failed;
  return new CliError(exit, code, all, retryable ? 'the same command may work in a moment' : '');
}
