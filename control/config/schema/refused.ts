import { z } from 'zod';

/** What is said of a field in the table of fields; nothing: supported as it is. */
export interface FieldNote {
  /** `later`: it is meant to be supported; `refused`: it is not. */
  readonly status: 'supported' | 'later' | 'refused';
  /** What to use instead, or how far it is supported. */
  readonly note: string;
}

export const fieldNotes = z.registry<FieldNote>();

/** A field that is known and not supported: an object that holds it is refused, as without it the object would say something else. */
export function refused(why: string, status: 'later' | 'refused' = 'refused') {
  const message = `is not supported, and is never ignored: ${why}`;
  return z
    .unknown()
    .optional()
    .superRefine((value, ctx) => {
      if (value !== undefined) ctx.addIssue({ code: 'custom', message });
    })
    .register(fieldNotes, { status, note: why });
}

/** The same for a field that later versions are to support. */
export function later(what: string) {
  return refused(`to come later: ${what}`, 'later');
}

/** A supported field of which the table says more. */
export function noted<S extends z.ZodType>(schema: S, note: string): S {
  const copy = schema.clone() as S;
  fieldNotes.add(copy, { status: 'supported', note });
  return copy;
}
