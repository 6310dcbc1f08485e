import { isAuthority } from '../authority.ts';
import { acceptsTrailers, endToEnd, headerOf, type RawHeaders } from '../headers.ts';
import type { RequestHead } from '../message.ts';

export interface ReadHttp2Request {
  readonly head: RequestHead;
  readonly refused: { readonly status: number; readonly detail: string } | undefined;
}

const notPassedOn: ReadonlySet<string> = new Set(['host']);

/**
 * A request as nghttp2 lets it through (which checks what a stream must hold, RFC 9113 §8), in the form that all versions share.
 * `ended`: nothing comes after the headers. Pure.
 */
export function readRequest(raw: RawHeaders, ended: boolean, scheme: RequestHead['scheme'], maxHeaders: number): ReadHttp2Request {
  let asked: string | undefined;
  let method = '';
  let path = '';
  let authority: string | undefined;
  let host: string | undefined;
  let protocol: string | undefined;
  let trailers = false;
  let cookie: string | undefined;
  let fields: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    if (name === ':method') method = value;
    else if (name === ':path') path = value;
    else if (name === ':scheme') asked = value;
    else if (name === ':authority') authority = value;
    else if (name === ':protocol') protocol = value;
    else if (name === 'host') host ??= value;
    else if (name === 'te') trailers ||= acceptsTrailers(value);
    // RFC 9113 §8.2.3: it may come in pieces, and goes on as one.
    else if (name === 'cookie') cookie = cookie === undefined ? value : `${cookie}; ${value}`;
    else if (!name.startsWith(':')) fields.push(name, value);
  }
  if (cookie !== undefined) fields.push('cookie', cookie);
  fields = endToEnd(fields, notPassedOn);
  if (trailers) fields.push('te', 'trailers');
  const streamed = !ended && headerOf(fields, 'content-length') === undefined;
  const head = {
    method,
    path,
    authority: authority ?? host ?? '',
    scheme: asked === 'http' || asked === 'https' ? asked : scheme,
    headers: fields,
    streamed,
  };
  return { head, refused: whyNot(head, protocol, maxHeaders) };
}

function whyNot(
  { method, path, authority, headers }: RequestHead,
  protocol: string | undefined,
  maxHeaders: number,
): ReadHttp2Request['refused'] {
  if (headers.length / 2 > maxHeaders) return { status: 431, detail: 'too_many_headers' };
  if (method === 'CONNECT' || protocol !== undefined) return { status: 405, detail: 'connect_is_not_proxied' };
  if (!isAuthority(authority)) return { status: 400, detail: 'bad_host' };
  const origin = path.startsWith('/') || (path === '*' && method === 'OPTIONS');
  return origin && !path.includes('#') ? undefined : { status: 400, detail: 'bad_request_target' };
}
