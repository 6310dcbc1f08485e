import { headerPairs, type RawHeaders } from './headers.ts';

export interface IncomingTarget {
  /** Origin form, or `*`. */
  readonly path: string;
  /** From an absolute target. */
  readonly authority?: string;
}

export type RequestCheck =
  | { readonly ok: true; readonly target: IncomingTarget; readonly chunked: boolean }
  | { readonly ok: false; readonly status: number; readonly detail: string };

const refuse = (status: number, detail: string): RequestCheck => ({ ok: false, status, detail });

/**
 * What Node's parser lets through and a proxy must not: anything that two hops could read differently (RFC 9112 §3.2, §6.1,
 * §11.2). Pure.
 */
export function checkRequest(method: string, url: string, httpVersion: string, raw: RawHeaders, maxHeaders: number): RequestCheck {
  if (raw.length / 2 > maxHeaders) return refuse(431, 'too_many_headers');
  const seen = new Map<string, number>();
  let chunked = false;
  for (const [name, value] of headerPairs(raw)) {
    const lower = name.toLowerCase();
    seen.set(lower, (seen.get(lower) ?? 0) + 1);
    if (lower === 'transfer-encoding') {
      chunked = true;
      if (value.trim().toLowerCase() !== 'chunked') return refuse(501, 'unsupported_transfer_encoding');
    }
    if (lower === 'content-length' && !/^[0-9]{1,15}$/.test(value)) return refuse(400, 'bad_content_length');
  }
  for (const name of ['host', 'content-length', 'transfer-encoding'])
    if ((seen.get(name) ?? 0) > 1) return refuse(400, `duplicate_${name}`);
  if (chunked && seen.has('content-length')) return refuse(400, 'content_length_and_transfer_encoding');
  if (chunked && httpVersion === '1.0') return refuse(400, 'transfer_encoding_in_http_1_0');
  if (method === 'CONNECT') return refuse(405, 'connect_is_not_proxied');
  const target = parseTarget(method, url);
  return target === undefined ? refuse(400, 'bad_request_target') : { ok: true, target, chunked };
}

function parseTarget(method: string, url: string): IncomingTarget | undefined {
  // RFC 9112 §3.2.1: a fragment is never sent, and servers differ in what they make of one.
  if (url.includes('#')) return undefined;
  if (url.startsWith('/')) return { path: url };
  if (url === '*') return method === 'OPTIONS' ? { path: url } : undefined;
  const absolute = /^https?:\/\/([^/?#\s@]+)([/?][^#\s]*)?$/i.exec(url);
  if (absolute === null) return undefined;
  const [, authority = '', rest = '/'] = absolute;
  return { path: rest.startsWith('/') ? rest : `/${rest}`, authority };
}

/** RFC 9110 §9.2.2. */
export function isIdempotent(method: string): boolean {
  return ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'].includes(method);
}
