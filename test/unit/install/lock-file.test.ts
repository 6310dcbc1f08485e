import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

async function json(name: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(`../../../../${name}`, import.meta.url), 'utf8'));
}

/** `npm ci` refuses a lock that leaves out what only another platform installs; npm writes such a lock where a registry lacks it. */
test('the lock file names every package, those of other platforms too, so that npm ci works on each', async () => {
  const { packages } = (await json('package-lock.json')) as { packages: Readonly<Record<string, Locked>> };
  const names = new Set(Object.keys(packages));
  const missing = Object.entries(packages).flatMap(([at, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).filter(
      (name) => !names.has(`node_modules/${name}`) && !names.has(`${at}/node_modules/${name}`),
    ),
  );
  assert.deepEqual(missing, []);
  const { dependencies, devDependencies } = (await json('package.json')) as Locked;
  assert.deepEqual([packages['']?.dependencies, packages['']?.devDependencies], [dependencies, devDependencies]);
});
