/** Supported fields that no case says, and why: `KIND PATH` as docs/config-fields.md has them. */
export interface Gap {
  readonly fields: readonly string[];
  readonly reason: string;
}

export const gaps: readonly Gap[] = [
  {
    fields: ['ServiceEntry addresses[]'],
    reason: 'It does nothing: callers have the service where their agent or gateway has it, and are warned when they say it.',
  },
];
