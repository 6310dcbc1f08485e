import { z } from 'zod';
import type { Violation } from '../../core/validate.ts';
import { type ConfigDocument, oneOf, parseDocuments, toViolations, violation } from '../../core/yaml/index.ts';
import { type FileObject, serviceEntryObject, workloadEntryObject } from './schema.ts';

/** One document of a file: a good object, or which object it was meant to be. */
export interface ParsedEntry {
  /** `KIND/NAMESPACE/NAME`; undefined when it does not even say that. */
  readonly id: string | undefined;
  readonly object?: FileObject;
}

export interface ParsedFile {
  readonly entries: readonly ParsedEntry[];
  readonly violations: readonly Violation[];
  /** Some of the file is not YAML: what is missing may have been lost, not removed. */
  readonly damaged: boolean;
}

const kinds = oneOf('ServiceEntry', 'WorkloadEntry');

/** Pure. Every mistake of the file at once; a bad object does not keep the others out. */
export function parseFile(file: string, text: string): ParsedFile {
  const { documents, violations } = parseDocuments(file, text);
  const parsed = documents.map(parseObject);
  return {
    entries: parsed.map((p) => p.entry),
    violations: [...violations, ...parsed.flatMap((p) => p.violations)],
    damaged: violations.length > 0,
  };
}

function parseObject(document: ConfigDocument): { entry: ParsedEntry; violations: readonly Violation[] } {
  const id = idOf(document.value);
  const kind = z.looseObject({ kind: kinds }).safeParse(document.value, { reportInput: true });
  if (!kind.success) {
    const found =
      kind.error.issues[0]?.path.length === 0 ? [violation(document, [], 'is no object')] : toViolations(document, [], kind.error.issues);
    return { entry: { id }, violations: found };
  }
  const schema = kind.data.kind === 'ServiceEntry' ? serviceEntryObject : workloadEntryObject;
  const result = schema.safeParse(document.value, { reportInput: true });
  if (result.success) return { entry: { id, object: result.data }, violations: [] };
  return { entry: { id }, violations: toViolations(document, [], result.error.issues) };
}

function idOf(value: unknown): string | undefined {
  const { kind, metadata } = (value ?? {}) as { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } };
  if (typeof kind !== 'string' || typeof metadata?.name !== 'string') return undefined;
  return `${kind}/${typeof metadata.namespace === 'string' ? metadata.namespace : ''}/${metadata.name}`;
}
