import type { AttemptFailure, ResponseFlag } from '../engine/index.ts';
import { headerOf, type RawHeaders, without } from './headers.ts';

/** An answer that we give ourselves, in Envoy's words where it has some. */
export interface LocalReply {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly flags: readonly ResponseFlag[];
  readonly detail: string;
  /** Beside those of the body. */
  readonly headers?: RawHeaders;
  /** No rule changes its headers. */
  readonly asItIs?: true;
  /** In place of what follows from `status`. */
  readonly grpcStatus?: number;
}

const plain = (status: number, body: string, flags: readonly ResponseFlag[], detail: string): LocalReply => ({
  status,
  body,
  flags,
  detail,
});

export const deniedReply = (detail: string): LocalReply => plain(403, 'RBAC: access denied', [], detail);

/** RFC 6750 §3. `text`: in Envoy's words; the query, which may hold the token, is not told. */
export function authenticationReply(status: 401 | 403, text: string, { authority, path }: { authority: string; path: string }): LocalReply {
  const at = `https://${authority}${path.split('?', 1)[0]}`.replaceAll(/[^\x21-\x7e]|["\\]/g, '').slice(0, 256);
  const headers = ['www-authenticate', `Bearer realm="${at}", error="invalid_token"`];
  return { ...plain(status, text, [], `jwt_authn_access_denied{${text.replaceAll(' ', '_')}}`), headers };
}

export const badRequestReply = (status: number, detail: string): LocalReply => plain(status, detail.replaceAll('_', ' '), ['DPE'], detail);

export const noClusterReply: LocalReply = plain(503, 'no such service here', ['NC'], 'cluster_not_found');

export const noRouteReply: LocalReply = plain(404, '', ['NR'], 'route_not_found');

/** A destination that leads nowhere, by what its author's kind says of that. */
export const missingReply = (status: number): LocalReply => plain(status, '', ['NC'], 'cluster_not_found');

export const noEndpointReply: LocalReply = plain(503, 'no healthy upstream', ['UH'], 'no_healthy_upstream');

export const idleReply: LocalReply = plain(504, 'stream timeout', ['SI'], 'stream_idle_timeout');

export const timeoutReply: LocalReply = plain(504, 'upstream request timeout', ['UT'], 'response_timeout');

/** Of ours, or of a rule that should have been refused. */
export const internalReply = (reason: string): LocalReply => plain(500, 'internal error', ['LR'], `internal_error{${reason}}`);

/** Short, and without what the request held. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.name) : typeof error;

export const faultReply = (status: number, grpcStatus: number | undefined): LocalReply => ({
  ...plain(status, 'fault filter abort', ['FI'], 'fault_filter_abort'),
  ...(grpcStatus === undefined ? {} : { grpcStatus }),
});

export const overflowReply: LocalReply = {
  ...plain(
    503,
    'upstream connect error or disconnect/reset before headers. reset reason: overflow',
    ['UO'],
    'upstream_reset_before_response_started{overflow}',
  ),
  headers: ['x-envoy-overloaded', 'true'],
};

/** `protocol`: what came back is no HTTP. `refused-stream`: the server says that it did nothing; `reset`: it gave this one up. `try-timeout`: a try's own time was up. `unsendable`: HTTP has no words for it, and nobody was asked. */
export type RequestFailure = AttemptFailure | 'protocol' | 'refused-stream' | 'reset' | 'try-timeout' | 'unsendable';

/** `exhausted`: more than one endpoint was tried. */
export function failureReply(failure: RequestFailure, reason: string, exhausted: boolean): LocalReply {
  const also: ResponseFlag[] = exhausted ? ['URX'] : [];
  if (failure === 'overflow') return overflowReply;
  if (failure === 'unsendable') return internalReply(reason);
  if (failure === 'try-timeout') return plain(504, 'upstream request timeout', ['UT', ...also], 'upstream_per_try_timeout');
  const [status, flag, words] = wordsOf(failure);
  const body = `upstream connect error or disconnect/reset before headers. reset reason: ${words}`;
  return plain(status, body, [flag, ...also], `upstream_reset_before_response_started{${reason}}`);
}

function wordsOf(
  failure: Exclude<RequestFailure, 'try-timeout' | 'overflow' | 'unsendable'>,
): readonly [status: number, flag: ResponseFlag, words: string] {
  switch (failure) {
    case 'protocol':
      return [502, 'UPE', 'protocol error'];
    case 'early-close':
      return [503, 'UC', 'connection termination'];
    case 'reset':
      return [503, 'UR', 'remote reset'];
    case 'refused-stream':
      return [503, 'UR', 'remote refused stream reset'];
    default:
      return [503, 'UF', 'remote connection failure'];
  }
}

export interface ReplyMessage {
  readonly status: number;
  readonly headers: string[];
  readonly body: Uint8Array;
}

const nothing = new Uint8Array(0);
const lengthHeaders: ReadonlySet<string> = new Set(['content-length']);
const bodyHeaders: ReadonlySet<string> = new Set(['content-length', 'content-type']);

/**
 * As it goes out: to gRPC callers as trailers alone, with the status in them (Envoy's local replies). `change`: what its rule makes of
 * the headers, of which only a content type that it sets lasts of those of a body. Pure.
 */
export function replyMessage(
  reply: LocalReply,
  request: { readonly headers: RawHeaders },
  change?: (headers: RawHeaders) => RawHeaders,
): ReplyMessage {
  const own = reply.headers ?? [];
  const changed = change === undefined || reply.asItIs === true ? own : change(own);
  const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body;
  const grpc = isGrpc(request.headers);
  const type = grpc || body.length === 0 ? undefined : headerOf(changed, 'content-type');
  const headers = without(changed, type === undefined ? bodyHeaders : lengthHeaders);
  if (grpc) {
    const grpcStatus = reply.grpcStatus ?? grpcStatusOf(reply.status);
    headers.push('content-type', 'application/grpc', 'grpc-status', String(grpcStatus));
    if (body.length > 0) headers.push('grpc-message', percentEncoded(body));
    return { status: 200, headers, body: nothing };
  }
  // RFC 9110 §8.6 and §15.3.5: these have neither body nor length.
  if (reply.status === 204 || reply.status === 304) return { status: reply.status, headers, body: nothing };
  if (body.length > 0 && type === undefined) headers.push('content-type', 'text/plain');
  headers.push('content-length', String(body.length));
  return { status: reply.status, headers, body };
}

/** A call, or the answer to one. */
export function isGrpc(headers: RawHeaders): boolean {
  const contentType = headerOf(headers, 'content-type');
  return contentType?.startsWith('application/grpc') === true && /^application\/grpc($|[+;])/.test(contentType);
}

/** gRPC's "HTTP to gRPC Status Code Mapping". */
function grpcStatusOf(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}

/** gRPC over HTTP/2, Percent-Encoded. */
function percentEncoded(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== 0x25) text += String.fromCharCode(byte);
    else text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

export function preflightReply(headers: readonly string[]): LocalReply {
  return { status: 200, body: '', flags: [], detail: 'cors_response', headers, asItIs: true };
}
