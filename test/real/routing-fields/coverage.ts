import { fieldTable } from '../../../control/config/kinds/field-table.ts';
import { kindRows } from '../../../control/config/kinds/index.ts';
import type { KindRow } from '../../../control/config/kinds/row.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';

/** Whose fields say where requests go and what becomes of them on the way. */
const kinds = [
  'VirtualService',
  'DestinationRule',
  'HealthCheckPolicy',
  'ServiceEntry',
  'WorkloadEntry',
  'Gateway',
  'HTTPRoute',
  'GRPCRoute',
  'TLSRoute',
  'TCPRoute',
  'ReferenceGrant',
  'ServiceExport',
  'ServiceImport',
] as const;

/** Two kinds have one name. */
function nameOf({ kind, group }: Pick<KindRow, 'kind' | 'group'>): string {
  return kind === 'Gateway' && group === 'gateway.networking.k8s.io' ? 'Gateway of the Gateway API' : kind;
}

const rows = kindRows.filter(({ kind }) => (kinds as readonly string[]).includes(kind));

/** `KIND PATH`, as docs/config-fields.md has them, of every field that is supported. */
export function supportedFields(): ReadonlySet<string> {
  return new Set(rows.flatMap((row) => [...rowsOf(row)].flatMap(([path, { supported }]) => (supported ? [`${nameOf(row)} ${path}`] : []))));
}

/** Those that objects in `text` say. */
export function fieldsIn(text: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { value } of parseDocuments('case', text).documents) {
    const { apiVersion, kind, spec } = value as { readonly apiVersion: string; readonly kind: string; readonly spec: unknown };
    const row = rows.find((each) => each.kind === kind && apiVersion.startsWith(`${each.group}/`));
    if (row !== undefined) walk(spec, '', rowsOf(row), (path) => found.add(`${nameOf(row)} ${path}`));
  }
  return found;
}

interface Row {
  readonly supported: boolean;
  /** Where the same part was told before. */
  readonly as: string | undefined;
}

function rowsOf({ schema }: KindRow): ReadonlyMap<string, Row> {
  return new Map(fieldTable(schema, true).map(({ path, status, as }) => [path, { supported: status === 'supported', as }]));
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
