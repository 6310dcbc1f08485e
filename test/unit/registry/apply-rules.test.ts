import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serviceKey } from '../../../core/model/index.ts';
import { claims, isMeshOwned, matchesGlob, nameService, ownerKey, ownerOf } from '../../../core/registry/index.ts';
import { rulesWith } from './records.ts';

const native = (name: string, change: Partial<{ nativeNamespace: string; meta: Record<string, string>; tags: string[] }> = {}) => ({
  name,
  meta: {},
  tags: [],
  ...change,
});

test('a name goes through rename, then becomes a DNS label', () => {
  const rules = rulesWith({ namespace: 'shop', rename: { 'legacy.Orders': 'orders' } });
  assert.deepEqual(nameService(native('legacy.Orders'), rules), { namespace: 'shop', name: 'orders', renamed: true });
  assert.deepEqual(nameService(native('Web_Front.End'), rules), { namespace: 'shop', name: 'web-front-end', renamed: false });
});

test('exclude wins over include, and what the rules leave out is no violation', () => {
  const rules = rulesWith({ include: ['web-*'], exclude: ['*-canary'] });
  assert.deepEqual(nameService(native('web-canary'), rules), { excluded: 'excluded by the Registry' });
  assert.deepEqual(nameService(native('db'), rules), { excluded: 'not included by the Registry' });
  assert.deepEqual(nameService(native('web-shop'), rules), { namespace: 'default', name: 'web-shop', renamed: false });
});

test('the namespace comes from meta, tag or the registry, and falls back to the fixed one', () => {
  const meta = rulesWith({ namespaceFrom: { meta: 'team' } });
  assert.deepEqual(nameService(native('a', { meta: { team: 'Pay_Ments' } }), meta), { namespace: 'pay-ments', name: 'a', renamed: false });
  assert.deepEqual(nameService(native('a'), meta), { namespace: 'default', name: 'a', renamed: false });
  const tag = rulesWith({ namespaceFrom: { tagPrefix: 'ns=' } });
  assert.deepEqual(nameService(native('a', { tags: ['v1', 'ns=ops', 'ns=late'] }), tag), { namespace: 'ops', name: 'a', renamed: false });
  const own = rulesWith({ namespaceFrom: 'native' });
  assert.deepEqual(nameService(native('a', { nativeNamespace: 'batch' }), own), { namespace: 'batch', name: 'a', renamed: false });
  assert.deepEqual(nameService(native('a', { meta: { constructor: 'x' } }), rulesWith({ namespaceFrom: { meta: 'toString' } })), {
    namespace: 'default',
    name: 'a',
    renamed: false,
  });
});

test('what cannot be a DNS label is excluded with a violation, never cut', () => {
  for (const name of ['___', '', 'x'.repeat(64), '日本']) {
    const result = nameService(native(name), rulesWith());
    assert.ok('violation' in result && result.violation !== undefined, name);
    assert.match(result.violation.message, /DNS label/);
  }
  const result = nameService(native('a', { meta: { ns: '!!' } }), rulesWith({ namespaceFrom: { meta: 'ns' } }));
  assert.ok('violation' in result && result.violation?.message.startsWith('namespace "!!"'));
});

test('globs match whole strings and do not read overlapping parts twice', () => {
  const cases: [string, string, boolean][] = [
    ['*', '', true],
    ['shop/*', 'shop/web', true],
    ['shop/*', 'shopping/web', false],
    ['*/web', 'a/b/web', true],
    ['ab*ba', 'aba', false],
    ['ab*ba', 'abba', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c', false],
    ['a.c', 'abc', false],
    ['web', 'web2', false],
    ['**', 'x', true],
  ];
  for (const [glob, text, expected] of cases) assert.equal(matchesGlob(glob, text), expected, `${glob} on ${text}`);
});

test('a source publishes only what it claims', () => {
  assert.equal(claims(rulesWith({ claims: [] }), serviceKey('shop', 'web')), false);
  assert.equal(claims(rulesWith({ claims: ['shop/*'] }), serviceKey('shop', 'web')), true);
  assert.equal(claims(rulesWith({ claims: ['shop/*'] }), serviceKey('ops', 'web')), false);
});

test('the owner mark is a valid label value and is recognised wherever it stands', () => {
  assert.equal(ownerOf('east', 'consul/dc1'), 'east.consul_dc1');
  assert.match(ownerOf('c'.repeat(63), 'consul/x'), /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/);
  assert.equal(isMeshOwned(undefined, null, { [ownerKey]: '' }), true);
  assert.equal(isMeshOwned({ owner: 'x' }, null), false);
});
