import type { HttpMatch, NamedMatch } from '../../core/traffic/index.ts';
import type { RequestView } from './request-view.ts';
import { pathTest, stringTest } from './string-match.ts';

/** The workload that this proxy speaks for. */
export interface ProxyNode {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Of what is sent on several lines, what Envoy holds as one, joined by commas; any other header's lines it asks one by one. */
const oneLine: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-type',
  'grpc-timeout',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'origin',
  'pragma',
  'referer',
  'user-agent',
  'via',
  'x-client-trace-id',
  'x-forwarded-host',
  'x-request-id',
]);

export type HttpTest = (request: RequestView) => boolean;

/** What a match says of the caller is decided here, because the caller is always this proxy's workload. Undefined: it never holds. */
export function httpTest(match: HttpMatch, node: ProxyNode): HttpTest | undefined {
  if (!isFrom(match, node)) return undefined;
  const tests: HttpTest[] = [];
  if (match.path !== undefined) {
    const path = pathTest(match.path, match.ignoreCase === true);
    tests.push((request) => path(request.path));
  }
  if (match.method !== undefined) {
    const method = stringTest(match.method);
    tests.push((request) => method(request.facts.method));
  }
  if (match.scheme !== undefined) {
    const scheme = stringTest(match.scheme);
    tests.push((request) => scheme(request.facts.scheme));
  }
  if (match.authority !== undefined) {
    const authority = stringTest(match.authority, true);
    tests.push((request) => authority(request.host));
  }
  for (const each of match.headers) tests.push(headerTest(each));
  for (const each of match.query) tests.push(queryTest(each));
  return (request) => tests.every((test) => test(request));
}

export function isFrom(
  match: { readonly sourceLabels: Readonly<Record<string, string>>; readonly sourceNamespace?: string },
  node: ProxyNode,
): boolean {
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== node.namespace) return false;
  return Object.entries(match.sourceLabels).every(([name, value]) => node.labels[name] === value);
}

function headerTest({ name, value, not }: NamedMatch): HttpTest {
  const test = value === undefined ? () => true : stringTest(value);
  const wanted = not !== true;
  if (oneLine.has(name)) {
    return (request) => {
      const found = request.header(name);
      return (found !== undefined && test(found)) === wanted;
    };
  }
  return (request) => request.someHeader(name, test) === wanted;
}

function queryTest({ name, value, not }: NamedMatch): HttpTest {
  const test = value === undefined ? () => true : stringTest(value);
  const wanted = not !== true;
  return (request) => {
    const found = request.query(name);
    return (found !== undefined && test(found)) === wanted;
  };
}
