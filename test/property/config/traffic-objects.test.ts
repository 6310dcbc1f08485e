import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parseObject } from '../../../control/config/parse-object.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';
import { repositoryRoot } from '../../support/repository-root.ts';

type Path = readonly (string | number)[];

const folder = join(repositoryRoot, 'test/samples/corpus/istio');
const texts = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8')));
const objects = texts.flatMap((text) => parseDocuments('corpus.yaml', text).documents.map((document) => document.value));

/** Every place in every good object. */
const places = objects.flatMap((object) => pathsOf(object, []).map((path) => ({ object, path })));

function pathsOf(value: unknown, at: Path): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, each]) => pathsOf(each, [...at, Array.isArray(value) ? Number(key) : key]))];
}

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    '',
    '*',
    '~',
    '/',
    '%',
    '5d',
    '0s',
    '-1',
    'mesh',
    'gateway',
    true,
    -1,
    0,
    1.5,
    2 ** 40,
    [],
    {},
    [null],
    [[]],
    { '': '' },
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** A copy with another value at the path. */
function withValue(object: unknown, path: Path, value: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  if (Array.isArray(object)) return object.map((each: unknown, i) => (i === first ? withValue(each, rest, value) : each));
  return { ...(object as object), [first]: withValue((object as Record<string, unknown>)[first], rest, value) };
}

const spell = (path: Path) =>
  path.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`), '');

test('any value in any place of a good object gives an object, or mistakes with lines inside the file', () => {
  fc.assert(
    fc.property(fc.constantFrom(...places), odd, ({ object, path }, value) => {
      const text = stringify(withValue(object, path, value));
      const lines = text.split('\n').length;
      for (const document of parseDocuments('x.yaml', text).documents) {
        const { located, violations } = parseObject(document, '/');
        assert.equal(located === undefined, violations.length > 0, 'an object, or what is wrong with it');
        for (const each of violations) {
          assert.ok(each.message !== '' && !/\[object|undefined|NaN|Invalid input/.test(each.message), each.message);
          assert.ok(each.line !== undefined && each.line >= 1 && each.line <= lines, `line ${each.line} of ${lines}`);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('a field that nobody knows is found wherever it stands', () => {
  const maps = places.filter(({ object, path }) => path[0] === 'spec' && isPartOfSchema(object, path));
  fc.assert(
    fc.property(fc.constantFrom(...maps), ({ object, path }) => {
      const part = path.reduce<unknown>((at, step) => (at as Record<string | number, unknown>)[step], object) as object;
      const text = stringify(withValue(object, path, { ...part, zzUnknown: 1 }));
      const [document] = parseDocuments('x.yaml', text).documents;
      assert.ok(document !== undefined);
      const { violations } = parseObject(document, '/');
      assert.ok(
        violations.some((each) => each.path === `${spell(path)}.zzUnknown`),
        `${spell(path)} in ${text}`,
      );
    }),
    { numRuns: 100 },
  );
});

/** A map of fields, not one whose keys are free. */
function isPartOfSchema(object: unknown, path: Path): boolean {
  const value = path.reduce<unknown>((at, step) => (at as Record<string | number, unknown>)[step], object);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const free = [
    'headers',
    'withoutHeaders',
    'queryParams',
    'set',
    'add',
    'labels',
    'matchLabels',
    'sourceLabels',
    'to',
    'ports',
    'selector',
  ];
  const last = path.at(-1);
  // `headers` of a route and `selector` of a Telemetry have fields; those of a match and of a Gateway are maps.
  if (last === 'headers') return !path.includes('match');
  if (last === 'selector') return 'matchLabels' in value;
  if (last === 'to') return false;
  return !free.includes(String(last));
}
