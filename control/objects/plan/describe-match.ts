import type { HttpMatch, L4Match, NamedMatch, StringMatch } from '../../../core/traffic/index.ts';

/** As it is where nothing in it could be taken for the words around it, in quotes otherwise. */
export function token(value: string): string {
  return /^[\w./:*|@~-]+$/.test(value) ? value : JSON.stringify(value);
}

/** Pure: all that a request must look like. */
export function matchText(match: HttpMatch): string {
  const parts: string[] = [];
  if (match.method !== undefined) parts.push(stringText('method', match.method));
  if (match.path !== undefined)
    parts.push(`path ${match.path.type} ${token(match.path.value)}${match.ignoreCase === true ? ' in any case' : ''}`);
  if (match.authority !== undefined) parts.push(stringText('authority', match.authority));
  if (match.scheme !== undefined) parts.push(stringText('scheme', match.scheme));
  parts.push(...match.headers.map((h) => namedText('header', h)), ...match.query.map((q) => namedText('query', q)));
  parts.push(...sourceText(match));
  return parts.length === 0 ? 'every request' : parts.join(', ');
}

/** Pure: all that a connection must look like. */
export function l4MatchText(match: L4Match): string {
  const { destinationSubnets, sniHosts } = match;
  const parts = [...destinationSubnets.map((s) => `to ${token(s)}`), ...sniHosts.map((s) => `SNI ${token(s)}`), ...sourceText(match)];
  return parts.length === 0 ? 'every connection' : parts.join(', ');
}

function sourceText({ sourceLabels, sourceNamespace }: Pick<HttpMatch, 'sourceLabels' | 'sourceNamespace'>): string[] {
  const labels = Object.entries(sourceLabels).map(([key, value]) => `from ${token(key)}=${token(value)}`);
  return sourceNamespace === undefined ? labels : [...labels, `from namespace ${token(sourceNamespace)}`];
}

function stringText(what: string, { type, value }: StringMatch): string {
  return type === 'exact' ? `${what} ${token(value)}` : `${what} ${type} ${token(value)}`;
}

function namedText(what: string, { name, value, not }: NamedMatch): string {
  const named = `${what} ${token(name)}`;
  const said = value === undefined ? `${named} present` : `${named} ${stringText('is', value)}`;
  return not === true ? `not (${said})` : said;
}
