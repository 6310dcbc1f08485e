const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** RFC 9110 §9.2.2. */
export function isIdempotent(method: string): boolean {
  return idempotent.has(method);
}
