/** Header lines: name, value, name, value, in order and with duplicates. */
export type RawHeaders = readonly string[];

/** Marks an answer that a mesh end made itself because its application could not be asked; only believed over mTLS, never passed on. */
export const localOriginHeader = 'x-isthmus-local-origin';
export const clientCertHeader = 'x-forwarded-client-cert';

/** RFC 9110 §7.6.1, and what older peers send. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);
/** Connection may not take these away: they decide where a message ends or goes. */
const untouchable: ReadonlySet<string> = new Set(['host', 'content-length', 'trailer']);

/** First value, or undefined. `name`, and those of `raw`, in lower case. */
export function headerOf(raw: RawHeaders, name: string): string | undefined {
  for (let i = 0; i + 1 < raw.length; i += 2) if (raw[i] === name) return raw[i + 1];
  return undefined;
}

/** The same headers with names in lower case. */
export function lowerNames(raw: RawHeaders): string[] {
  const lower: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) lower.push((raw[i] ?? '').toLowerCase(), raw[i + 1] ?? '');
  return lower;
}

/**
 * What goes on to the next hop, names in lower case; `drop`, of lower case names, does not. `te` is dropped too: see
 * `acceptsTrailers`. Pure.
 */
export function endToEnd(raw: RawHeaders, drop: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  let named: Set<string> | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const lower = (raw[i] ?? '').toLowerCase();
    const value = raw[i + 1] ?? '';
    if (lower === 'connection') named = connectionOptions(value, named);
    if (!hopByHop.has(lower) && !drop.has(lower)) kept.push(lower, value);
  }
  return named === undefined ? kept : without(kept, named);
}

/** What Connection names, save what never is, or is dropped anyway. */
function connectionOptions(value: string, before: Set<string> | undefined): Set<string> | undefined {
  let options = before;
  for (const part of value.split(',')) {
    const option = part.trim().toLowerCase();
    if (option === '' || option === 'close' || hopByHop.has(option) || untouchable.has(option)) continue;
    options ??= new Set();
    options.add(option);
  }
  return options;
}

export function without(raw: RawHeaders, names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) if (!names.has(raw[i] ?? '')) kept.push(raw[i] ?? '', raw[i + 1] ?? '');
  return kept;
}

export interface RequestHeaderFacts {
  readonly requestId: string;
  /** The caller's address as this hop saw it. */
  readonly sourceAddress: string;
  /** Set at the mTLS end only. */
  readonly clientCert: string | undefined;
}

/**
 * The caller's headers and what this hop says of the request. What only the mesh may say is dropped before it is said: a caller's own
 * x-forwarded-client-cert never gets through. Pure.
 */
export function requestHeaders(raw: RawHeaders, facts: RequestHeaderFacts): string[] {
  const headers: string[] = [];
  let forwarded = '';
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    if (name === 'x-forwarded-for') forwarded += `${raw[i + 1] ?? ''},`;
    else if (name !== clientCertHeader && name !== localOriginHeader && name !== 'x-request-id') headers.push(name, raw[i + 1] ?? '');
  }
  headers.push('x-forwarded-for', forwarded + facts.sourceAddress, 'x-request-id', facts.requestId);
  if (facts.clientCert !== undefined) headers.push(clientCertHeader, facts.clientCert);
  return headers;
}

export function acceptsTrailers(te: string): boolean {
  return te
    .toLowerCase()
    .split(',')
    .some((each) => each.trim() === 'trailers');
}

/** Its head says that no body comes. */
export function isBodyless({ streamed, headers }: { readonly streamed: boolean; readonly headers: RawHeaders }): boolean {
  return !streamed && (headerOf(headers, 'content-length') ?? '0') === '0';
}

const noResponseHeaders: ReadonlySet<string> = new Set([localOriginHeader]);

/** What goes back. Pure. */
export function responseHeaders(raw: RawHeaders): string[] {
  return endToEnd(raw, noResponseHeaders);
}

/** RFC 9110 §6.5.1: what a trailer may never say. */
const noTrailers: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'authorization',
  'set-cookie',
  'trailer',
  clientCertHeader,
  localOriginHeader,
]);
const none: RawHeaders = [];

export function trailersOf(raw: RawHeaders): RawHeaders {
  return raw.length === 0 ? none : endToEnd(raw, noTrailers);
}
