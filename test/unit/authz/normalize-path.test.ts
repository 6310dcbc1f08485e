import assert from 'node:assert/strict';
import test from 'node:test';
import { normalizePath } from '../../../core/authz/index.ts';

/** As Envoy 1.40 answered with normalize_path, merge_slashes and UNESCAPE_AND_FORWARD; test/real/envoy-requests.test.ts asks it again. */
const seen: readonly [raw: string, normal: string | undefined][] = [
  ['/', '/'],
  ['/a/b.txt?x=//c%2f', '/a/b.txt?x=//c%2f'],
  ['/a//b', '/a/b'],
  ['/a/./b/../c', '/a/c'],
  ['/a%2Fb', '/a/b'],
  ['/a%2fb%5cc', '/a/b/c'],
  ['/a%2e%2e/b', '/a../b'],
  ['/%61%2d%7E%20%zz', '/a-~%20%zz'],
  ['/a\\b', '/a/b'],
  ['/a"b<c>`{}|^', '/a%22b%3Cc%3E%60%7B%7D%7C%5E'],
  ['/..', '/'],
  ['/../..', '/'],
  ['/a/..//deny', '/deny'],
  ['/a/%2e%2E/deny', '/deny'],
  ['/%64eny', '/deny'],
  ['//deny', '/deny'],
  ['/deny/', '/deny/'],
  ['/a%00b', undefined],
  ['/a;b=c', '/a;b=c'],
  ['/a%2F..%2Fdeny', '/deny'],
  ['/a%5C..%5Cdeny', '/deny'],
  ['/a%252Fb', '/a%252Fb'],
  ['/%2e', '/'],
  ['/a/.', '/a/'],
  ['/a/..', '/'],
  ['/a/...', '/a/...'],
  ['/a/b//../c', '/a/b/c'],
  ['/%2f/x', '/x'],
  ['/a%c3%a9', '/a%c3%a9'],
  ['/%2', '/%2'],
  ['*', undefined],
  ['/a#deny', undefined],
  ['/\u00e9', undefined],
];

test('paths are made what Envoy makes of them', () => {
  for (const [raw, normal] of seen) assert.equal(normalizePath(raw), normal, raw);
});

test('what is normal stays as it is', () => {
  for (const [raw] of seen) {
    const once = normalizePath(raw);
    if (once !== undefined) assert.equal(normalizePath(once), once, raw);
  }
});
