import type { Violation } from '../validate.ts';

/** One YAML document, and where its parts stand. */
export interface ConfigDocument {
  readonly file: string;
  readonly value: unknown;
  /** Where `value` stands in the document as it is written: an item of a List. Absent: it is all of it. */
  readonly within?: readonly PropertyKey[];
  /** 1-based line of what the path names, or of the nearest part around it that exists. */
  lineOf(path: readonly PropertyKey[]): number;
}

export interface ParsedDocuments {
  readonly documents: readonly ConfigDocument[];
  readonly violations: readonly Violation[];
}
