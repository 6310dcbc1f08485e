import { fieldTable } from '../../../control/config/kinds/field-table.ts';
import { kindRows } from '../../../control/config/kinds/index.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';

/** Whose fields say where requests go and what becomes of them on the way. */
const kinds = ['VirtualService', 'DestinationRule', 'HealthCheckPolicy'];

/** `KIND PATH`, as docs/config-fields.md has them, of every field that is supported. */
export function supportedFields(): ReadonlySet<string> {
  return new Set(kinds.flatMap((kind) => [...rowsOf(kind)].flatMap(([path, { supported }]) => (supported ? [`${kind} ${path}`] : []))));
}

/** Those that objects in `text` say. */
export function fieldsIn(text: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { value } of parseDocuments('case', text).documents) {
    const { kind, spec } = value as { readonly kind: string; readonly spec: unknown };
    if (kinds.includes(kind)) walk(spec, '', rowsOf(kind), (path) => found.add(`${kind} ${path}`));
  }
  return found;
}

interface Row {
  readonly supported: boolean;
  /** Where the same part was told before. */
  readonly as: string | undefined;
}

function rowsOf(kind: string): ReadonlyMap<string, Row> {
  const row = kindRows.find((each) => each.kind === kind);
  if (row === undefined) throw new TypeError(`no kind ${kind}`);
  return new Map(fieldTable(row.schema, true).map(({ path, status, as }) => [path, { supported: status === 'supported', as }]));
}

/** Depth first. What is the same as another part counts as said itself, and what is in it as said there. */
function walk(value: unknown, path: string, rows: ReadonlyMap<string, Row>, say: (path: string) => void): void {
  const row = rows.get(path);
  if (row !== undefined) say(path);
  const here = row?.as ?? path;
  if (Array.isArray(value)) {
    for (const each of value) walk(each, row?.as === undefined ? `${here}[]` : here, rows, say);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [name, each] of Object.entries(value)) walk(each, childPath(here, name, rows), rows, say);
}

/** A key of a map has no name of its own in the table. */
function childPath(path: string, name: string, rows: ReadonlyMap<string, Row>): string {
  const entry = `${path}{}`;
  const isMap = [...rows.keys()].some((known) => known === entry || known.startsWith(`${entry}.`));
  if (isMap) return entry;
  return path === '' ? name : `${path}.${name}`;
}
