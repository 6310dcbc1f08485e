import { z } from 'zod';

/** Reports a mistake at a path below the value. */
export type Report = (path: readonly PropertyKey[], message: string) => void;

/**
 * Adds a rule over several fields. Unlike a refinement it also runs where single fields are wrong, so that all mistakes of an
 * object show at once: what it is given is whatever was written, each part of which may be of any type.
 */
export function across<S extends z.ZodType>(schema: S, rule: (written: Written, report: Report) => void): S {
  const check = z.check<z.output<S>>((payload) => {
    const value: unknown = payload.value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    rule(value as Written, (path, message) => payload.issues.push({ code: 'custom', message, path: [...path], input: value }));
  });
  check._zod.def.when = () => true;
  return schema.check(check);
}

/** Fields as written, of any type. */
export type Written = Readonly<Record<string, unknown>>;

/** The fields of these that are there. */
export function present(value: unknown, names: readonly string[]): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return names.filter((name) => (value as Written)[name] !== undefined);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** At most one of these may be there; where `least` is 1, one has to. */
export function oneFieldOf<S extends z.ZodType>(schema: S, names: readonly string[], least: 0 | 1 = 1): S {
  return across(schema, (value, report) => {
    const there = present(value, names);
    if (there.length > 1) report([], `must hold only one of ${names.join(', ')}, not ${there.join(' and ')}`);
    if (there.length < least) report([], `must hold one of ${names.join(', ')}`);
  });
}
