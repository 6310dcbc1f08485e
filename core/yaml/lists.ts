import type { Violation } from '../validate.ts';
import type { ConfigDocument, ParsedDocuments } from './config-document.ts';
import { violation } from './issues.ts';

const known: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'items']);

/** Pure. A Kubernetes List as one document for each item, Lists in it too; any other document as it is. */
export function unpackList(document: ConfigDocument): ParsedDocuments {
  if (!isRecord(document.value) || document.value['kind'] !== 'List') return { documents: [document], violations: [] };
  const { apiVersion, items } = document.value;
  const violations: Violation[] = Object.keys(document.value)
    .filter((field) => !known.has(field))
    .map((field) => violation(document, [field], 'unknown field; a List has items'));
  if (apiVersion !== 'v1') violations.push(violation(document, ['apiVersion'], apiVersion === undefined ? 'is required' : 'must be v1'));
  if (!Array.isArray(items)) {
    violations.push(violation(document, ['items'], items === undefined ? 'is required' : 'must be a list'));
    return { documents: [], violations };
  }
  const documents: ConfigDocument[] = [];
  items.forEach((value: unknown, i) => {
    if (!isRecord(value)) {
      violations.push(violation(document, ['items', i], 'must be an object'));
      return;
    }
    const item = { ...document, value, within: [...(document.within ?? []), 'items', i] };
    const unpacked = unpackList({ ...item, lineOf: (path) => document.lineOf(['items', i, ...path]) });
    documents.push(...unpacked.documents);
    violations.push(...unpacked.violations);
  });
  return { documents, violations };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
