import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentFolder, tellNew } from '../../../core/yaml/index.ts';

const entry = (name: string) => ({ name: name.replace(/\/$/, ''), isDirectory: () => name.endsWith('/') });

test('of a folder YAML and JSON are read, and what nobody meant to be read is passed over in silence', () => {
  const names = ['b.yml', 'a.yaml', 'c.json', 'notes.txt', 'd.yaml.disabled', 'sub/', 'e.yaml/', 'yaml'];
  const silent = [
    '.hidden.yaml',
    '..data',
    'a.yaml~',
    '#a.yaml#',
    '.a.yaml.swp',
    'a.yaml.swo',
    'a.yaml.bak',
    'a.yaml.orig',
    '4913',
    'x.tmp',
  ];
  assert.deepEqual(documentFolder([...names, ...silent].map(entry)), {
    read: ['a.yaml', 'b.yml', 'c.json'],
    leftOut: ['d.yaml.disabled', 'e.yaml/', 'notes.txt', 'sub/', 'yaml'],
  });
});

test('a name is told of once, and again only after it has been away', () => {
  const told: string[] = [];
  const tell = tellNew((names) => told.push(names.join(' ')));
  for (const names of [['a', 'b'], ['a', 'b'], ['b', 'c'], [], ['a', 'c']]) tell(names);
  assert.deepEqual(told, ['a b', 'c', 'a c']);
});
