export type LogAttribute = 'string' | 'number' | 'boolean';

/** Of Envoy's attributes, those that mean the same in our proxies. */
export const logAttributes: ReadonlyMap<string, LogAttribute> = new Map([
  ['response.code', 'number'],
  ['request.method', 'string'],
  ['request.path', 'string'],
  ['request.url_path', 'string'],
  ['request.host', 'string'],
  ['request.useragent', 'string'],
  ['connection.mtls', 'boolean'],
  ['connection.uri_san_peer_certificate', 'string'],
]);

/** What a filter may ask for; undefined: there is none, as byte streams have no path. */
export type LogFacts = Readonly<Record<string, string | number | boolean | undefined>>;

/** What an entry of an access log, our own or Envoy's, says of them. */
export function factsOf(entry: Readonly<Record<string, unknown>>): LogFacts {
  const text = (name: string) => {
    const value = entry[name];
    return typeof value === 'string' && value !== '' && value !== '-' ? value : undefined;
  };
  const code = Number(entry['response_code'] ?? 0);
  const path = text('path');
  const peer = text('source_principal');
  return {
    // 0: the caller went away before an answer.
    'response.code': code > 0 ? code : undefined,
    'request.method': text('method'),
    'request.path': path,
    'request.url_path': path?.split('?', 1)[0],
    'request.host': text('authority'),
    'request.useragent': text('user_agent'),
    'connection.mtls': peer !== undefined,
    'connection.uri_san_peer_certificate': peer,
  };
}
