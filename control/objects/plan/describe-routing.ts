import type {
  ClusterRef,
  HttpMatch,
  HttpRule,
  L4Rule,
  NamedMatch,
  Routing,
  StringMatch,
  WeightedDestination,
} from '../../../core/traffic/index.ts';

/** Pure: what a routing says, rule by rule, one line each, so that two of them can be compared line by line. */
export function describeRouting(routing: Routing | undefined): string[] {
  if (routing === undefined) return [];
  const http = routing.virtualHosts.flatMap((host) => [
    `host ${host.domains.join(' ')}`,
    ...host.rules.map((rule) => `  ${httpLine(rule)}`),
  ]);
  return [...http, ...routing.l4.map(l4Line)];
}

function httpLine(rule: HttpRule<ClusterRef>): string {
  const matches = rule.matches.length === 0 ? 'every request' : rule.matches.map(matchText).join(' or ');
  const parts = [`${matches} -> ${actionText(rule)}`];
  const { fault, cors, requestHeaders, responseHeaders } = rule;
  if (fault?.delay !== undefined) parts.push(`delays ${fault.delay.percent} % by ${fault.delay.ms} ms`);
  if (fault?.abort !== undefined) parts.push(`answers ${fault.abort.percent} % ${fault.abort.status}`);
  if (requestHeaders !== undefined) parts.push(`request headers ${JSON.stringify(requestHeaders)}`);
  if (responseHeaders !== undefined) parts.push(`response headers ${JSON.stringify(responseHeaders)}`);
  if (cors !== undefined) parts.push(`CORS ${JSON.stringify(cors)}`);
  return parts.join('; ');
}

function actionText({ action }: HttpRule<ClusterRef>): string {
  if (action.type === 'direct') return `answer ${action.status}`;
  if (action.type === 'redirect') {
    const { scheme = '', authority = '', path, status, port } = action;
    return `redirect ${status} ${[scheme, authority, port ?? '', path?.value ?? ''].filter((part) => part !== '').join(' ')}`.trimEnd();
  }
  const parts = [shares(action.destinations)];
  if (action.rewrite !== undefined) parts.push(`rewrite ${JSON.stringify(action.rewrite)}`);
  if (action.timeoutMs !== undefined && action.timeoutMs > 0) parts.push(`timeout ${action.timeoutMs} ms`);
  if (action.retries !== undefined) parts.push(retryText(action.retries));
  for (const { destination, percent } of action.mirrors) parts.push(`mirrors ${percent} % to ${destination.cluster}`);
  return parts.join('; ');
}

function retryText({ attempts, on, perTryTimeoutMs }: { attempts: number; on: readonly string[]; perTryTimeoutMs?: number }): string {
  if (attempts === 0) return 'no retries';
  return `${attempts} retries on ${on.join(',')}${perTryTimeoutMs === undefined ? '' : `, ${perTryTimeoutMs} ms each`}`;
}

function shares(destinations: readonly WeightedDestination<ClusterRef>[]): string {
  const sum = destinations.reduce((total, d) => total + d.weight, 0);
  const nameOf = ({ cluster, missing }: ClusterRef) => (cluster === '' ? `nowhere (${missing ?? 503})` : cluster);
  const [only] = destinations;
  if (destinations.length === 1 && only !== undefined) return nameOf(only.destination) + headersText(only);
  return destinations
    .map((d) => `${sum === 0 ? 0 : Math.round((d.weight / sum) * 10_000) / 100} % ${nameOf(d.destination)}${headersText(d)}`)
    .join(' + ');
}

function headersText({ requestHeaders, responseHeaders }: WeightedDestination<ClusterRef>): string {
  if (requestHeaders === undefined && responseHeaders === undefined) return '';
  return ` with headers ${JSON.stringify({ requestHeaders, responseHeaders })}`;
}

function matchText(match: HttpMatch): string {
  const parts: string[] = [];
  if (match.method !== undefined) parts.push(stringText('method', match.method));
  if (match.path !== undefined) parts.push(`path ${match.path.type} ${match.path.value}${match.ignoreCase === true ? ' in any case' : ''}`);
  if (match.authority !== undefined) parts.push(stringText('authority', match.authority));
  if (match.scheme !== undefined) parts.push(stringText('scheme', match.scheme));
  parts.push(...match.headers.map((h) => namedText('header', h)), ...match.query.map((q) => namedText('query', q)));
  parts.push(...sourceText(match));
  return parts.length === 0 ? 'every request' : parts.join(', ');
}

function sourceText({ sourceLabels, sourceNamespace }: Pick<HttpMatch, 'sourceLabels' | 'sourceNamespace'>): string[] {
  const labels = Object.entries(sourceLabels).map(([key, value]) => `from ${key}=${value}`);
  return sourceNamespace === undefined ? labels : [...labels, `from namespace ${sourceNamespace}`];
}

function stringText(what: string, { type, value }: StringMatch): string {
  return type === 'exact' ? `${what} ${value}` : `${what} ${type} ${value}`;
}

function namedText(what: string, { name, value, not }: NamedMatch): string {
  const said = value === undefined ? `${what} ${name} is there` : `${what} ${name} ${stringText('is', value)}`;
  return not === true ? `not (${said})` : said;
}

function l4Line(rule: L4Rule<ClusterRef>): string {
  const matches = rule.matches.map((m) => {
    const parts = [...m.destinationSubnets.map((s) => `to ${s}`), ...m.sniHosts.map((s) => `SNI ${s}`), ...sourceText(m)];
    return parts.length === 0 ? 'every connection' : parts.join(', ');
  });
  return `${matches.length === 0 ? 'every connection' : matches.join(' or ')} -> ${shares(rule.destinations)}`;
}
