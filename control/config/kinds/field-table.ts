import type { z } from 'zod';
import { type FieldNote, fieldNotes } from '../schema/refused.ts';

/** One field of a spec. Of a part that is refused as a whole, the part alone. */
export interface FieldRow {
  /** `http[].match[].headers{}.exact`: `[]` for each of a list, `{}` for each of a map. */
  readonly path: string;
  readonly status: FieldNote['status'];
  /** What to use instead, or how far it is supported; may be empty. */
  readonly note: string;
  /** The part is the same as at this path, and told there. */
  readonly as?: string;
}

/** What of zod's definitions leads to the parts of a schema. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly out?: z.ZodType;
  /** Of a union: the field that tells its options from each other. */
  readonly discriminator?: string;
  readonly options?: readonly z.ZodType[];
}

const wrappers = ['optional', 'default', 'prefault', 'nullable', 'readonly', 'nonoptional'];

/**
 * Every field that a schema knows, in its order: what it takes, and what it refuses by name. Read from the schema itself, so
 * that it cannot say anything else. `brief`: a part that was told before is one row that says where.
 */
export function fieldTable(schema: z.ZodType, brief: boolean): readonly FieldRow[] {
  const rows: FieldRow[] = [];
  const told = new Map<z.ZodType, string>();
  const walk = (start: z.ZodType, path: string): void => {
    const { note, inner, definition } = unwrap(start);
    if (note !== undefined && note.status !== 'supported') rows.push({ path, ...note });
    else if (definition.type === 'array') walk(definition.element ?? inner, `${path}[]`);
    else if (definition.type === 'record') walk(definition.valueType ?? inner, `${path}{}`);
    else if (definition.discriminator !== undefined) rows.push(...optionRows(definition, path));
    else if (definition.type !== 'object') rows.push({ path, status: 'supported', note: note?.note ?? '' });
    else if (brief && told.has(inner)) rows.push({ path, status: 'supported', note: '', as: told.get(inner) ?? '' });
    else {
      told.set(inner, path);
      if (note !== undefined || Object.keys(definition.shape ?? {}).length === 0)
        rows.push({ path, status: 'supported', note: note?.note ?? '' });
      for (const [name, part] of Object.entries(definition.shape ?? {})) walk(part, path === '' ? name : `${path}.${name}`);
    }
  };
  walk(schema, '');
  return rows;
}

/** Through what only says that a field may be left out, or is read on. */
function unwrap(schema: z.ZodType): { note: FieldNote | undefined; inner: z.ZodType; definition: Definition } {
  let inner = schema;
  let note = fieldNotes.get(inner);
  for (;;) {
    const definition = inner.def as unknown as Definition;
    const next = wrappers.includes(definition.type)
      ? definition.innerType
      : definition.type === 'pipe'
        ? afterPreparing(definition)
        : undefined;
    if (next === undefined) return { note, inner, definition };
    inner = next;
    note ??= fieldNotes.get(inner);
  }
}

/** What is parsed is what stands behind a preparation, and before a translation. */
function afterPreparing({ in: first, out }: Definition): z.ZodType | undefined {
  return (first?.def as Definition | undefined)?.type === 'transform' ? out : first;
}

/** Fields of all options, in the order in which they come; those that not every option has say whose they are. */
function optionRows({ discriminator = '', options = [] }: Definition, path: string): FieldRow[] {
  const found = new Map<string, { readonly row: FieldRow; readonly notes: Map<string, string[]> }>();
  for (const option of options) {
    const word = wordOf(option, discriminator);
    for (const row of fieldTable(option, false)) {
      const notes = found.get(row.path)?.notes ?? new Map<string, string[]>();
      if (!found.has(row.path)) found.set(row.path, { row, notes });
      notes.set(row.note, [...(notes.get(row.note) ?? []), word]);
    }
  }
  return [...found.values()].map(({ row, notes }) => {
    const everywhere = notes.size === 1 && notes.get(row.note)?.length === options.length && row.path !== discriminator;
    const said = [...notes].map(([note, words]) => `${words.join(', ')}${note === '' ? '' : `: ${note}`}`).join('; ');
    return { ...row, path: `${path}.${row.path}`, note: everywhere ? row.note : said };
  });
}

function wordOf(option: z.ZodType, discriminator: string): string {
  const part = unwrap(option).definition.shape?.[discriminator];
  const { values = [] } = (part?.def ?? {}) as { readonly values?: readonly unknown[] };
  return String(values[0]);
}
