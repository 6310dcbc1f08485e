import { isCollection, isMap, isPair, isScalar, LineCounter, type Node, type Pair, parseAllDocuments } from 'yaml';
import type { Violation } from '../validate.ts';
import type { ConfigDocument, ParsedDocuments } from './config-document.ts';
import { unpackList } from './lists.ts';

const maxBytes = 1024 * 1024;
const maxDocuments = 1000;

/** Splits a file into documents, and Kubernetes' Lists into their items. A document that is not YAML is a violation, and the others stand. */
export function parseDocuments(file: string, text: string): ParsedDocuments {
  if (text.length > maxBytes) return { documents: [], violations: [{ path: '', file, message: `is larger than ${maxBytes} bytes` }] };
  const lineCounter = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter, prettyErrors: false, uniqueKeys: true });
  if (!Array.isArray(parsed)) return { documents: [], violations: [] };
  if (parsed.length > maxDocuments) {
    return { documents: [], violations: [{ path: '', file, message: `holds more than ${maxDocuments} documents` }] };
  }
  const documents: ConfigDocument[] = [];
  const violations: Violation[] = [];
  for (const doc of parsed) {
    const lineAt = (offset: number) => lineCounter.linePos(offset).line;
    for (const error of doc.errors) {
      violations.push({ path: '', file, line: lineAt(error.pos[0]), message: `not valid YAML: ${error.message}` });
    }
    if (doc.errors.length > 0) continue;
    const converted = toValue(doc);
    if (converted.error !== undefined) violations.push({ path: '', file, line: lineAt(doc.range?.[0] ?? 0), message: converted.error });
    else if (converted.value !== null) {
      const document = { file, value: converted.value, lineOf: (path: readonly PropertyKey[]) => lineAt(offsetOf(doc.contents, path)) };
      const unpacked = unpackList(document);
      documents.push(...unpacked.documents);
      violations.push(...unpacked.violations);
    }
  }
  if (documents.length > maxDocuments) {
    return { documents: [], violations: [{ path: '', file, message: `holds more than ${maxDocuments} documents` }] };
  }
  return { documents, violations };
}

function toValue(doc: { toJS(options: { maxAliasCount: number }): unknown }): { value?: unknown; error?: string } {
  try {
    return { value: doc.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    return { error: `not valid YAML: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function offsetOf(root: Node | null, path: readonly PropertyKey[]): number {
  let node: unknown = root;
  let offset = startOf(root) ?? 0;
  for (const step of path) {
    const child = childOf(node, step);
    if (child === undefined) break;
    offset = startOf(isPair(child) ? child.key : child) ?? offset;
    node = isPair(child) ? child.value : child;
  }
  return offset;
}

function childOf(node: unknown, step: PropertyKey): Pair | Node | undefined {
  if (!isCollection(node)) return undefined;
  if (isMap(node)) return node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(step));
  return node.items[Number(step)] as Node | undefined;
}

function startOf(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] | null } | null)?.range?.[0];
}
