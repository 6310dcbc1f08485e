import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parseConfig } from '../../../control/config/index.ts';
import { parseDuration } from '../../../core/duration.ts';

const word = fc.constantFrom(
  'Mesh',
  'Registry',
  'Peer',
  'spec',
  'cluster',
  'east',
  'consul',
  'type',
  'connection',
  'url',
  '*',
  '',
  '10s',
  '-1',
);
const anything = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    word,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.string({ maxLength: 8 }),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(fc.oneof(word, fc.string({ maxLength: 6 })), tie('value'), { maxKeys: 5 }),
})).value;

const valid = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Mesh',
  metadata: { name: 'east' },
  spec: {
    cluster: 'east',
    trustDomain: 'mesh.test',
    stateDir: '/state',
    identity: { svidTtl: '1h' },
    originate: { portRange: '16000-17000', sources: [] },
  },
};

function check(text: string): void {
  const result = parseConfig([{ file: '/x.yaml', text }]);
  if (result.ok) return;
  assert.ok(result.violations.length > 0);
  const lines = text.split('\n').length;
  for (const v of result.violations) {
    assert.ok(v.message !== '' && !v.message.includes('[object'), v.message);
    assert.ok(v.line === undefined || (v.line >= 1 && v.line <= lines + 1), `line ${v.line} of ${lines}`);
  }
}

test('any text gives a configuration or violations with lines inside the file', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), check), { numRuns: 300 });
});

test('any YAML gives a configuration or violations', () => {
  fc.assert(
    fc.property(fc.array(anything, { minLength: 1, maxLength: 3 }), (docs) => check(docs.map((d) => stringify(d)).join('---\n'))),
    { numRuns: 300 },
  );
});

test('one wrong value anywhere in a good object is found where it is', () => {
  const paths = [
    ['apiVersion'],
    ['kind'],
    ['metadata', 'name'],
    ['spec', 'cluster'],
    ['spec', 'trustDomain'],
    ['spec', 'identity', 'svidTtl'],
    ['spec', 'originate', 'portRange'],
    ['spec', 'originate', 'sources'],
  ];
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.constantFrom({ x: 1 }, 17.5, true, 'Not A Value!'), (path, wrong) => {
      const changed = structuredClone(valid) as Record<string, unknown>;
      let at = changed;
      for (const part of path.slice(0, -1)) at = at[part] as Record<string, unknown>;
      at[path.at(-1) ?? ''] = wrong;
      const result = parseConfig([{ file: '/x.yaml', text: stringify(changed) }]);
      assert.ok(!result.ok);
      assert.ok(
        result.violations.some((v) => v.path.startsWith(path.join('.'))),
        JSON.stringify(result.violations),
      );
    }),
  );
});

test('durations are read back, and nothing else is one', () => {
  fc.assert(
    fc.property(fc.nat(9999), fc.constantFrom('ms', 's', 'm', 'h', 'd'), (n, unit) => {
      const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit] ?? 0;
      assert.equal(parseDuration(`${n}${unit}`), n * factor);
    }),
  );
  assert.equal(parseDuration('16.1s'), 16_100, 'not what it is in binary');
  for (const bad of ['', '5', 's', '-1s', '1 s', '1e3s', '1s ', '١s', '1y', '1s1', '1.5ms'])
    assert.equal(parseDuration(bad), undefined, bad);
});
