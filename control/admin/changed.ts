/** The outcome of a call that changes something, and what it changed, for the audit log. */
export interface Changed<T> {
  readonly value: T;
  readonly diff: readonly Difference[];
}

export interface Difference {
  /** What changed, such as `peer/west` or `token/4f2a`. */
  readonly subject: string;
  /** Absent: it was made. Secrets are redacted by field name before they are written. */
  readonly before?: unknown;
  /** Absent: it was removed. */
  readonly after?: unknown;
}
