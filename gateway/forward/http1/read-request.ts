import { isAuthority } from '../authority.ts';
import { acceptsTrailers, endToEnd, type RawHeaders } from '../headers.ts';
import type { RequestHead } from '../message.ts';

export type ReadRequest =
  | { readonly ok: true; readonly head: RequestHead }
  | { readonly ok: false; readonly status: number; readonly detail: string };

const refuse = (status: number, detail: string): ReadRequest => ({ ok: false, status, detail });
const notPassedOn: ReadonlySet<string> = new Set(['host']);

export interface Http1Message {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  readonly rawHeaders: RawHeaders;
}

/**
 * A request as Node's parser gives it, in the form that all versions share. What that parser lets through and a proxy must not
 * is refused: anything that two hops could read differently (RFC 9112 §3.2, §6.1, §11.2). Pure.
 */
export function readRequest(message: Http1Message, scheme: RequestHead['scheme'], maxHeaders: number): ReadRequest {
  const { method, url, httpVersion, rawHeaders } = message;
  if (rawHeaders.length / 2 > maxHeaders) return refuse(431, 'too_many_headers');
  let host: string | undefined;
  let length: string | undefined;
  let chunked = false;
  let trailers = false;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1] ?? '';
    switch ((rawHeaders[i] ?? '').toLowerCase()) {
      case 'host':
        if (host !== undefined) return refuse(400, 'duplicate_host');
        if (!isAuthority(value)) return refuse(400, 'bad_host');
        host = value;
        break;
      case 'content-length':
        if (length !== undefined) return refuse(400, 'duplicate_content-length');
        if (!/^[0-9]{1,15}$/.test(value)) return refuse(400, 'bad_content_length');
        length = value;
        break;
      case 'transfer-encoding':
        if (value.trim().toLowerCase() !== 'chunked') return refuse(501, 'unsupported_transfer_encoding');
        if (chunked) return refuse(400, 'duplicate_transfer-encoding');
        chunked = true;
        break;
      case 'te':
        trailers ||= acceptsTrailers(value);
        break;
    }
  }
  if (chunked && length !== undefined) return refuse(400, 'content_length_and_transfer_encoding');
  if (chunked && httpVersion === '1.0') return refuse(400, 'transfer_encoding_in_http_1_0');
  if (method === 'CONNECT') return refuse(405, 'connect_is_not_proxied');
  const target = parseTarget(method, url);
  if (target === undefined) return refuse(400, 'bad_request_target');
  const headers = endToEnd(rawHeaders, notPassedOn);
  if (trailers) headers.push('te', 'trailers');
  // A target in absolute form replaces Host (RFC 9112 §3.2.2).
  return { ok: true, head: { method, path: target.path, authority: target.authority ?? host ?? '', scheme, headers, streamed: chunked } };
}

interface IncomingTarget {
  readonly path: string;
  readonly authority?: string;
}

function parseTarget(method: string, url: string): IncomingTarget | undefined {
  // RFC 9112 §3.2.1: a fragment is never sent, and servers differ in what they make of one.
  if (url.includes('#')) return undefined;
  if (url.startsWith('/')) return { path: url };
  if (url === '*') return method === 'OPTIONS' ? { path: url } : undefined;
  const absolute = /^https?:\/\/([^/?#\s@]+)([/?][^#\s]*)?$/i.exec(url);
  if (absolute === null) return undefined;
  const [, authority = '', rest = '/'] = absolute;
  if (!isAuthority(authority)) return undefined;
  return { path: rest.startsWith('/') ? rest : `/${rest}`, authority };
}
