import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { ConfigObject, MeshObject } from '../../core/config/index.ts';
import { accept, type Checked, reject, type Violation } from '../../core/validate.ts';
import { documentFolder, parseDocuments } from '../../core/yaml/index.ts';
import { crossCheck } from './cross-check.ts';
import { type Located, parseObject } from './parse-object.ts';

/** Frozen. `objects` holds the Mesh too, in the order of files and documents. */
export interface LoadedConfig {
  readonly mesh: MeshObject;
  readonly objects: readonly ConfigObject[];
  /** Each object but the Mesh, and the document that it was made of. */
  readonly documents: readonly { readonly object: ConfigObject; readonly document: Readonly<Record<string, unknown>> }[];
  /** Absolute, sorted; those that reload watches. */
  readonly files: readonly string[];
}

export interface ConfigText {
  readonly file: string;
  readonly text: string;
}

/**
 * Reads a file, or every `.yaml`, `.yml` and `.json` of each folder (not below it); `onLeftOut` is told what else the folders hold, each
 * time. A path that cannot be read is a violation.
 */
export async function loadConfig(
  paths: readonly string[],
  onLeftOut: (paths: readonly string[]) => void = () => undefined,
): Promise<Checked<LoadedConfig>> {
  const leftOut: string[] = [];
  const unreadable: Violation[] = [];
  const files = new Set<string>();
  for (const path of paths) {
    try {
      for (const file of await filesOf(resolve(path), leftOut)) files.add(file);
    } catch (error) {
      unreadable.push({ path: '', file: path, message: `cannot be read: ${reason(error)}` });
    }
  }
  onLeftOut(leftOut);
  const texts: ConfigText[] = [];
  for (const file of [...files].sort()) {
    try {
      texts.push({ file, text: await readFile(file, 'utf8') });
    } catch (error) {
      unreadable.push({ path: '', file, message: `cannot be read: ${reason(error)}` });
    }
  }
  return parseConfig(texts, unreadable);
}

/** Pure. Every mistake of every file at once; relative paths are relative to the file they stand in. */
export function parseConfig(texts: readonly ConfigText[], before: readonly Violation[] = []): Checked<LoadedConfig> {
  const violations: Violation[] = [...before];
  const located: Located[] = [];
  for (const { file, text } of texts) {
    const parsed = parseDocuments(file, text);
    violations.push(...parsed.violations);
    for (const document of parsed.documents) {
      const result = parseObject(document, dirname(resolve(file)));
      violations.push(...result.violations);
      if (result.located !== undefined) located.push(result.located);
    }
  }
  const files = texts.map((t) => t.file);
  violations.push(...crossCheck(located, files, violations.length > 0));
  const mesh = located.find((l) => l.object.kind === 'Mesh')?.object as MeshObject | undefined;
  if (violations.length > 0 || mesh === undefined) return reject(inOrder(violations, files));
  const documents = located.map((l) => ({
    object: withMeshDefaults(l.object, mesh),
    document: l.document.value as Readonly<Record<string, unknown>>,
  }));
  const objects = documents.map((d) => d.object);
  return accept(freeze({ mesh, objects, documents: documents.filter((d) => d.object.kind !== 'Mesh'), files }));
}

function withMeshDefaults(object: ConfigObject, mesh: MeshObject): ConfigObject {
  if (object.kind !== 'Registry' || object.spec.rules.network !== '') return object;
  return { ...object, spec: { ...object.spec, rules: { ...object.spec.rules, network: mesh.spec.network } } };
}

async function filesOf(path: string, leftOut: string[]): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const found = documentFolder(await readdir(path, { withFileTypes: true }));
  leftOut.push(...found.leftOut.map((name) => join(path, name)));
  return found.read.map((name) => join(path, name));
}

function inOrder(violations: readonly Violation[], files: readonly string[]): Violation[] {
  const rank = (v: Violation) => files.indexOf(v.file ?? '');
  return [...violations].sort((a, b) => rank(a) - rank(b) || (a.line ?? 0) - (b.line ?? 0));
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function freeze<T>(value: T): T {
  // Bytes cannot be frozen.
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
}
