/** Supported fields that no case says, and why: `KIND PATH` as docs/config-fields.md has them. */
export interface Gap {
  readonly fields: readonly string[];
  readonly reason: string;
}

export const gaps: readonly Gap[] = [];
