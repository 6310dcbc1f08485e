import type { Scope } from '../../core/config/index.ts';
import type { Checked, Violation } from '../../core/validate.ts';
import { type ConfigDocument, parseDocuments, violation } from '../../core/yaml/index.ts';
import type { AppliableObject, ObjectKey, OwnedObject } from './contract.ts';
import { objectKey, refOf } from './ref.ts';

/** One document → the object, or everything that is wrong with it. Refuses kinds that cannot be applied. Pure. */
export type ParseDocument = (document: ConfigDocument) => Checked<AppliableObject>;

export interface DocumentFile {
  /** As its author calls it. */
  readonly file: string;
  readonly text: string;
}

export interface CandidateOptions {
  /** For documents that name none. Default `default`. */
  readonly namespace?: string;
  /** Instead of what the documents say. */
  readonly scope?: Scope;
}

export interface Candidate {
  readonly document: OwnedObject['document'];
  readonly object: AppliableObject;
  readonly at: ConfigDocument;
}

export interface Candidates {
  /** In the order in which they were written. */
  readonly objects: ReadonlyMap<ObjectKey, Candidate>;
  readonly violations: readonly Violation[];
}

const applyLimits = { documents: 1000, documentBytes: 256 * 1024 } as const;
const scopeAnnotation = 'isthmus.dev/scope';

/** Pure. Every mistake of every document at once. */
export function readCandidates(files: readonly DocumentFile[], parse: ParseDocument, options: CandidateOptions): Candidates {
  const objects = new Map<ObjectKey, Candidate>();
  const violations: Violation[] = [];
  const documents = documentsOf(files, violations);
  if (documents.length > applyLimits.documents) {
    violations.push({ path: '', message: `holds ${documents.length} documents: at most ${applyLimits.documents} are applied at once` });
    return { objects, violations };
  }
  for (const at of documents.map((d) => adjusted(d, options))) {
    const checked = parse(at);
    const document = storable(at);
    if (!checked.ok || document === undefined) {
      violations.push(...(checked.ok ? [violation(at, [], `is larger than ${applyLimits.documentBytes} bytes`)] : checked.violations));
      continue;
    }
    const key = objectKey(refOf(document, checked.value));
    const first = objects.get(key);
    if (first === undefined) objects.set(key, { document, object: checked.value, at });
    else violations.push(violation(at, ['metadata', 'name'], `is there already, at ${first.at.file}:${first.at.lineOf([])}`));
  }
  if (objects.size === 0 && violations.length === 0) violations.push({ path: '', message: 'no object is given' });
  return { objects, violations };
}

/** Namespaces that the documents name, whether they can be parsed or not. */
export function namespacesOf(files: readonly DocumentFile[], namespace = 'default'): readonly string[] {
  const named = documentsOf(files, []).map(({ value }) => {
    const said = (value as { metadata?: { namespace?: unknown } | null } | null)?.metadata?.namespace;
    return typeof said === 'string' ? said : namespace;
  });
  return [...new Set(named)].sort();
}

function documentsOf(files: readonly DocumentFile[], violations: Violation[]): ConfigDocument[] {
  return files.flatMap(({ file, text }) => {
    const parsed = parseDocuments(file, text);
    violations.push(...parsed.violations);
    return parsed.documents;
  });
}

function adjusted(document: ConfigDocument, { namespace, scope }: CandidateOptions): ConfigDocument {
  const { value } = document;
  if (!isRecord(value) || !isRecord(value['metadata'])) return document;
  const { metadata } = value;
  const annotations = isRecord(metadata['annotations']) ? metadata['annotations'] : {};
  return {
    ...document,
    value: {
      ...value,
      metadata: {
        ...metadata,
        ...(namespace === undefined || metadata['namespace'] !== undefined ? {} : { namespace }),
        ...(scope === undefined ? {} : { annotations: { ...annotations, [scopeAnnotation]: scope } }),
      },
    },
  };
}

/** What is kept: plain JSON, without what others report on it. Undefined: too large. */
function storable({ value }: ConfigDocument): OwnedObject['document'] | undefined {
  const { status: _, ...document } = isRecord(value) ? value : {};
  const text = JSON.stringify(document);
  return text.length > applyLimits.documentBytes ? undefined : (JSON.parse(text) as OwnedObject['document']);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
