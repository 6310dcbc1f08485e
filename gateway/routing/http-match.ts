import type { HttpMatch, NamedMatch } from '../../core/traffic/index.ts';
import type { RequestView } from './request-view.ts';
import { pathTest, stringTest } from './string-match.ts';

/** The workload that this proxy speaks for. */
export interface ProxyNode {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

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
  for (const each of match.headers) tests.push(namedTest(each, (request) => request.header(each.name)));
  for (const each of match.query) tests.push(namedTest(each, (request) => request.query(each.name)));
  return (request) => tests.every((test) => test(request));
}

export function isFrom(
  match: { readonly sourceLabels: Readonly<Record<string, string>>; readonly sourceNamespace?: string },
  node: ProxyNode,
): boolean {
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== node.namespace) return false;
  return Object.entries(match.sourceLabels).every(([name, value]) => node.labels[name] === value);
}

function namedTest({ value, not }: NamedMatch, find: (request: RequestView) => string | undefined): HttpTest {
  const test = value === undefined ? () => true : stringTest(value);
  const wanted = not !== true;
  return (request) => {
    const found = find(request);
    return (found !== undefined && test(found)) === wanted;
  };
}
