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
    const next = wrappers.includes(definition.type) ? definition.innerType : definition.type === 'pipe' ? definition.in : undefined;
    if (next === undefined) return { note, inner, definition };
    inner = next;
    note ??= fieldNotes.get(inner);
  }
}
