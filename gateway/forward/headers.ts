/** Header lines as Node keeps them: name, value, name, value, in order and with duplicates. */
export type RawHeaders = readonly string[];

/** Marks an answer that a mesh end made itself because its application could not be asked; only believed over mTLS, never passed on. */
export const localOriginHeader = 'x-isthmus-local-origin';
const clientCertHeader = 'x-forwarded-client-cert';

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

export function* headerPairs(raw: RawHeaders): Generator<readonly [name: string, value: string]> {
  for (let i = 0; i + 1 < raw.length; i += 2) yield [raw[i] ?? '', raw[i + 1] ?? ''];
}

/** First value, or undefined. `name` in lower case. */
export function headerOf(raw: RawHeaders, name: string): string | undefined {
  for (const [each, value] of headerPairs(raw)) if (each.toLowerCase() === name) return value;
  return undefined;
}

function connectionOptions(raw: RawHeaders): ReadonlySet<string> {
  const options = new Set<string>();
  for (const [name, value] of headerPairs(raw)) {
    if (name.toLowerCase() !== 'connection') continue;
    for (const option of value.split(',')) options.add(option.trim().toLowerCase());
  }
  return options;
}

function endToEnd(raw: RawHeaders, drop: ReadonlySet<string>): string[] {
  const options = connectionOptions(raw);
  const kept: string[] = [];
  for (const [name, value] of headerPairs(raw)) {
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || drop.has(lower) || (options.has(lower) && !untouchable.has(lower))) continue;
    kept.push(name, value);
  }
  return kept;
}

export interface RequestHeaderFacts {
  readonly requestId: string;
  /** The caller's address as this hop saw it. */
  readonly sourceAddress: string;
  /** Set at the mTLS end only. */
  readonly clientCert?: string;
  /** The target was in absolute form: its authority replaces Host (RFC 9112 §3.2.2). */
  readonly authority?: string;
  /** Pass `Upgrade: websocket` on. */
  readonly upgrade: boolean;
  /** The body has no length: send it chunked, as it came. */
  readonly chunked: boolean;
}

const setByUs: ReadonlySet<string> = new Set([clientCertHeader, localOriginHeader, 'x-request-id', 'x-forwarded-for']);

/** What goes to the next hop. What only the mesh may say is dropped before it is said: a caller's own x-forwarded-client-cert never gets through. Pure. */
export function requestHeaders(raw: RawHeaders, facts: RequestHeaderFacts): string[] {
  const headers = endToEnd(raw, facts.authority === undefined ? setByUs : new Set([...setByUs, 'host']));
  if (facts.authority !== undefined) headers.push('host', facts.authority);
  const forwarded = [...headerPairs(raw)].filter(([name]) => name.toLowerCase() === 'x-forwarded-for').map(([, value]) => value);
  headers.push('x-forwarded-for', [...forwarded, facts.sourceAddress].join(', '));
  headers.push('x-request-id', facts.requestId);
  if (facts.clientCert !== undefined) headers.push(clientCertHeader, facts.clientCert);
  if (acceptsTrailers(raw)) headers.push('te', 'trailers');
  if (facts.chunked) headers.push('transfer-encoding', 'chunked');
  if (facts.upgrade) headers.push('connection', 'upgrade', 'upgrade', 'websocket');
  return headers;
}

function acceptsTrailers(raw: RawHeaders): boolean {
  return [...headerPairs(raw)].some(
    ([name, value]) =>
      name.toLowerCase() === 'te' &&
      value
        .toLowerCase()
        .split(',')
        .some((each) => each.trim() === 'trailers'),
  );
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

export function trailerPairs(raw: RawHeaders): [string, string][] {
  return [...headerPairs(raw)]
    .filter(([name]) => !hopByHop.has(name.toLowerCase()) && !noTrailers.has(name.toLowerCase()))
    .map(([name, value]) => [name, value]);
}
