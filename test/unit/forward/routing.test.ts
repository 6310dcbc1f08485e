import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ClusterRef, HttpMatch, HttpRule, PathMatch, RedirectAction, Rewrite, Routing } from '../../../core/traffic/index.ts';
import { ByDomain } from '../../../gateway/routing/by-domain.ts';
import { backoffMs, changeHeaders, isRetriable, locationOf, RequestView, Router, type TryEnd } from '../../../gateway/routing/index.ts';
import { pathChange } from '../../../gateway/routing/rewrite-path.ts';

const anything: HttpMatch = { headers: [], query: [], sourceLabels: {} };
const node = { namespace: 'web', labels: { app: 'front' } };
const get = { method: 'GET', path: '/', authority: 'a.example:8080', scheme: 'http', headers: [] as string[] };

function holds(match: Partial<HttpMatch>, request: Partial<typeof get>): boolean {
  const action = { type: 'direct' as const, status: 200 };
  const rule: HttpRule<ClusterRef> = { name: 'r', matches: [{ ...anything, ...match }], action };
  const routing: Routing = { virtualHosts: [{ name: 'v', domains: ['*'], rules: [rule] }], l4: [] };
  return new Router(node).of(routing).rule(new RequestView({ ...get, ...request })) !== undefined;
}

describe('matches', () => {
  const cases: readonly [what: string, match: Partial<HttpMatch>, request: Partial<typeof get>, expected: boolean][] = [
    ['exact path', { path: { type: 'exact', value: '/a' } }, { path: '/a?b=c' }, true],
    ['exact path, longer', { path: { type: 'exact', value: '/a' } }, { path: '/a/' }, false],
    ['case counts', { path: { type: 'exact', value: '/a' } }, { path: '/A' }, false],
    ['unless not', { path: { type: 'prefix', value: '/a' }, ignoreCase: true }, { path: '/ABC' }, true],
    ['prefix is of text', { path: { type: 'prefix', value: '/a' } }, { path: '/ab' }, true],
    ['segments are whole', { path: { type: 'segments', value: '/a' } }, { path: '/ab' }, false],
    ['the segment itself', { path: { type: 'segments', value: '/a' } }, { path: '/a?x' }, true],
    ['below it', { path: { type: 'segments', value: '/a' } }, { path: '/a/b' }, true],
    ['all segments', { path: { type: 'segments', value: '/' } }, { path: '/x' }, true],
    ['a regex is of all', { path: { type: 'regex', value: '/a.' } }, { path: '/abc' }, false],
    ['a regex, without query', { path: { type: 'regex', value: '/a.c' } }, { path: '/abc?d' }, true],
    ['a regex that is none', { path: { type: 'regex', value: '(' } }, { path: '(' }, false],
    ['method', { method: { type: 'exact', value: 'POST' } }, {}, false],
    ['scheme', { scheme: { type: 'exact', value: 'http' } }, {}, true],
    ['authority without port, any case', { authority: { type: 'exact', value: 'a.example' } }, { authority: 'A.Example:99' }, true],
    ['authority of IPv6', { authority: { type: 'exact', value: '[::1]' } }, { authority: '[::1]:99' }, true],
    ['header', { headers: [{ name: 'x', value: { type: 'suffix', value: 'z' } }] }, { headers: ['x', 'yz'] }, true],
    [
      'lines of a header are asked one by one',
      { headers: [{ name: 'x', value: { type: 'exact', value: '2' } }] },
      { headers: ['x', '1', 'y', '3', 'x', '2'] },
      true,
    ],
    ['and are not joined', { headers: [{ name: 'x', value: { type: 'exact', value: '1,2' } }] }, { headers: ['x', '1', 'x', '2'] }, false],
    [
      'no line may be what is not to be there',
      { headers: [{ name: 'x', value: { type: 'exact', value: '1' }, not: true }] },
      { headers: ['x', '1', 'x', '2'] },
      false,
    ],
    [
      'some headers are one line',
      { headers: [{ name: 'accept', value: { type: 'exact', value: '1,2' } }] },
      { headers: ['accept', '1', 'accept', '2'] },
      true,
    ],
    [
      'and that alone',
      { headers: [{ name: 'accept', value: { type: 'exact', value: '2' } }] },
      { headers: ['accept', '1', 'accept', '2'] },
      false,
    ],
    ['header there', { headers: [{ name: 'x' }] }, { headers: ['x', ''] }, true],
    ['header not there', { headers: [{ name: 'x', not: true }] }, {}, true],
    ['absent is not equal', { headers: [{ name: 'x', value: { type: 'exact', value: '1' }, not: true }] }, {}, true],
    ['equal is not unequal', { headers: [{ name: 'x', value: { type: 'exact', value: '1' }, not: true }] }, { headers: ['x', '1'] }, false],
    ['pseudo header', { headers: [{ name: ':method', value: { type: 'exact', value: 'GET' } }] }, {}, true],
    ['query', { query: [{ name: 'a', value: { type: 'exact', value: '1' } }] }, { path: '/?b=2&a=1&a=3' }, true],
    ['query without value', { query: [{ name: 'a', value: { type: 'exact', value: '' } }] }, { path: '/?a' }, true],
    ['query is not decoded', { query: [{ name: 'a', value: { type: 'exact', value: ' ' } }] }, { path: '/?a=%20' }, false],
    ['caller', { sourceLabels: { app: 'front' }, sourceNamespace: 'web' }, {}, true],
    ['another caller', { sourceLabels: { app: 'front', version: '2' } }, {}, false],
    ['another namespace', { sourceNamespace: 'shop' }, {}, false],
    ['all must hold', { method: { type: 'exact', value: 'GET' }, path: { type: 'exact', value: '/a' } }, {}, false],
  ];
  for (const [what, match, request, expected] of cases) test(what, () => assert.equal(holds(match, request), expected));

  test('hosts: exact, then the longest suffix, then any', () => {
    const hosts = new ByDomain(['*', '*.example', '*.a.example', 'b.a.example'].map((domain) => [domain, domain] as const));
    const found = ['b.a.example', 'c.a.example', 'a.example', '.example', 'x'].map((host) => hosts.find(host));
    assert.deepEqual(found, ['b.a.example', '*.a.example', '*.example', '*', '*']);
  });
});

describe('rewrites', () => {
  const rewritten = (path: string, rewrite: NonNullable<Rewrite['path']>, matched?: PathMatch) => pathChange(rewrite)(path, matched);
  const segments = (value: string): PathMatch => ({ type: 'segments', value });

  test("segments: the table of the Gateway API's ReplacePrefixMatch", () => {
    for (const [path, from, value, expected] of [
      ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
      ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
      ['/foo', '/foo', '/xyz', '/xyz'],
      ['/foo/', '/foo', '/xyz', '/xyz/'],
      ['/foo/bar', '/foo', '', '/bar'],
      ['/foo/', '/foo', '', '/'],
      ['/foo', '/foo', '', '/'],
      ['/foo/', '/foo', '/', '/'],
      ['/foo', '/foo', '/', '/'],
      ['/foo?q=1', '/foo', '/xyz', '/xyz?q=1'],
      ['/bar', '/', '/xyz', '/xyz/bar'],
    ] as const) {
      assert.equal(rewritten(path, { type: 'prefix', value }, segments(from)), expected, `${path} ${from} ${value}`);
    }
  });

  test('text of a prefix, all of an exact match or a regex, the whole, by expression', () => {
    assert.equal(rewritten('/api/v1?q', { type: 'prefix', value: '/' }, { type: 'prefix', value: '/api/' }), '/v1?q');
    assert.equal(rewritten('/api/v1', { type: 'prefix', value: '/' }, { type: 'prefix', value: '/api' }), '//v1');
    assert.equal(rewritten('/a?q', { type: 'prefix', value: '/b' }, { type: 'exact', value: '/a' }), '/b?q');
    assert.equal(rewritten('/a?q', { type: 'full', value: '/b' }, segments('/')), '/b?q');
    assert.equal(rewritten('/a/b', { type: 'prefix', value: '/x/' }), '/x/a/b');
    const swap = { type: 'regex', pattern: '/([^/]+)/([^/]+)', substitution: '/\\2/\\1' } as const;
    assert.equal(rewritten('/service/foo/v1/api?q=/a/b', swap), '/foo/service/api/v1?q=/a/b');
    assert.equal(rewritten('/a', { type: 'regex', pattern: 'a', substitution: '\\0\\\\\\0' }), '/a\\a');
  });

  test('an expression that fits nothing as well is used once where it fits all', () => {
    const by = (path: string, pattern: string, substitution: string) => rewritten(path, { type: 'regex', pattern, substitution });
    assert.equal(by('/x?a=1', '.*', '/new'), '/new?a=1');
    assert.equal(by('/x', '(.*)', '/p\\1'), '/p/x');
    assert.equal(by('/a/', '/?$', '/index'), '/a/index');
    assert.equal(by('/a', '/?$', '/index'), '/a/index');
    assert.equal(by('/a/b', '[^/]*$', 'f'), '/a/f');
    assert.equal(by('/a/', '[^/]*$', 'f'), '/a/f');
    assert.equal(by('//a', '/*', '/'), '/a/');
    assert.equal(by('/ab', 'x*', '-'), '-/-a-b-');
  });

  test('redirects', () => {
    const location = (action: Partial<RedirectAction>, request: Partial<typeof get> = {}, matched?: PathMatch) => {
      const whole: RedirectAction = { type: 'redirect', status: 301, ...action };
      const change = whole.path === undefined ? undefined : pathChange(whole.path);
      return locationOf(whole, { ...get, path: '/a?b', ...request }, matched, change);
    };
    assert.equal(location({}), 'http://a.example:8080/a?b');
    assert.equal(location({ scheme: 'https' }), 'https://a.example:8080/a?b', "a port that is not the scheme's own stays");
    assert.equal(location({ scheme: 'https' }, { authority: 'a.example:80' }), 'https://a.example/a?b');
    assert.equal(location({}, { authority: 'a.example:80' }), 'http://a.example:80/a?b');
    assert.equal(location({ port: 8443 }), 'http://a.example:8443/a?b');
    assert.equal(location({ port: 1 }, { authority: '[::1]:2' }), 'http://[::1]:1/a?b');
    assert.equal(location({ authority: 'b.example', path: { type: 'full', value: '/c' } }), 'http://b.example/c?b');
    assert.equal(location({ path: { type: 'full', value: '/c?d' } }), 'http://a.example:8080/c?d', 'a query of its own');
    assert.equal(location({ path: { type: 'prefix', value: '/c' } }, { path: '/a/d' }, segments('/a')), 'http://a.example:8080/c/d');
  });
});

describe('headers and retries', () => {
  test('what is removed goes first, then what replaces, then what is added', () => {
    const changes = {
      remove: ['gone', 'again'],
      set: [
        ['X-Set', '2'],
        ['host', 'b'],
      ] as [string, string][],
      add: [
        ['again', '1'],
        ['x', '2'],
      ] as [string, string][],
    };
    const changed = changeHeaders(['gone', '1', 'x-set', '1', 'x-set', '1b', 'x', '1', 'again', '0'], changes);
    assert.deepEqual(changed, { headers: ['x', '1', 'x-set', '2', 'again', '1', 'x', '2'], authority: 'b' });
  });

  test('resets: by what the conditions say of them', () => {
    const reset = (by: 'connect' | 'refused-stream' | 'reset' | 'try-timeout', delivered: boolean): TryEnd => ({
      kind: 'reset',
      by,
      delivered,
    });
    const policy = (...on: Parameters<typeof isRetriable>[0]['on']) => ({ attempts: 1, on, statusCodes: [] });
    for (const on of ['5xx', 'gateway-error', 'reset'] as const) assert.ok(isRetriable(policy(on), reset('try-timeout', true)), on);
    assert.ok(isRetriable(policy('connect-failure'), reset('connect', false)));
    assert.ok(!isRetriable(policy('connect-failure'), reset('reset', true)));
    assert.ok(isRetriable(policy('refused-stream'), reset('refused-stream', false)));
    assert.ok(isRetriable(policy('reset-before-request'), reset('reset', false)));
    assert.ok(!isRetriable(policy('reset-before-request', 'connect-failure', 'refused-stream'), reset('reset', true)));
    assert.ok(!isRetriable(policy('5xx'), { kind: 'answer', status: 503, rateLimited: true }));
  });

  test('backoff: full jitter, up to ten times the base', () => {
    const policy = { attempts: 9, on: [], statusCodes: [] };
    const most = [1, 2, 3, 4, 9].map((retry) => Math.round(backoffMs(policy, retry, 0.999999)));
    assert.deepEqual(most, [25, 75, 175, 250, 250]);
    assert.equal(backoffMs({ ...policy, backoffMs: 100 }, 3, 0), 0);
  });
});
