import type { NativeObject } from '../../core/registry/index.ts';
import { type Fields, fieldsIn, fieldsOf, textIn, timeIn } from './fields.ts';

/** What the author of an object writes into its metadata; the rest is the server's and its controllers'. */
const written = ['name', 'namespace', 'labels', 'annotations'];
/** Repeats the object. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Pure. An object without what changes when nobody changed it (versions, managers, status), so that two looks can be compared.
 * Undefined for what has no name and namespace.
 */
export function projectObject(raw: unknown, apiVersion: string, kind: string): NativeObject | undefined {
  const from = fieldsIn(fieldsOf(raw), 'metadata');
  const [name, namespace] = [textIn(from, 'name'), textIn(from, 'namespace')];
  if (name === '' || namespace === '') return undefined;
  const metadata = only(from, written);
  const annotations = { ...fieldsIn(from, 'annotations') };
  delete annotations[lastApplied];
  if (Object.keys(annotations).length > 0) metadata['annotations'] = annotations;
  else delete metadata['annotations'];
  const { status: _, ...rest } = fieldsOf(raw);
  const document = { ...rest, apiVersion, kind, metadata };
  return { namespace, name, createdAt: timeIn(from, 'creationTimestamp'), document };
}

function only(from: Fields, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));
}
