/** One thing that is wrong with an input. */
export interface Violation {
  /** Where: a dotted path into the object, `spec.ports[2].name`; empty for the whole. */
  readonly path: string;
  /** What is wrong and, where it can be known, what was meant. Holds no secret. */
  readonly message: string;
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
}

/** What every parser returns: the value, or everything that is wrong with it at once. */
export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly violations: readonly Violation[] };

export function accept<T>(value: T): Checked<T> {
  return { ok: true, value };
}

export function reject<T = never>(violations: readonly Violation[]): Checked<T> {
  return { ok: false, violations };
}

/** `file:line: path: message`, the parts that are known. */
export function formatViolation(v: Violation): string {
  const place = v.file === undefined ? '' : v.line === undefined ? `${v.file}: ` : `${v.file}:${v.line}: `;
  return `${place}${v.path === '' ? '' : `${v.path}: `}${v.message}`;
}
