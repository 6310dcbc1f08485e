import type { z } from 'zod';
import type { Scope } from '../../../core/config/index.ts';

/** What a spec cannot know of itself, and its translation needs. */
export interface SpecContext {
  /** What relative paths in the document are relative to. */
  readonly baseDir: string;
  readonly name: string;
  /** '' for kinds without. */
  readonly namespace: string;
  /** Unix ms, from metadata.creationTimestamp; 0 where nobody has said: who stores objects fills it in. */
  readonly createdAt: number;
}

export interface SpecResult {
  readonly value?: unknown;
  /** Paths are relative to the spec. */
  readonly issues: readonly z.core.$ZodIssue[];
}

/** One kind that may be written: a row of the table that parseObject reads. */
export interface KindRow {
  /** API group, without the version. */
  readonly group: string;
  readonly kind: string;
  /** One schema under several names; the first is the one to write. */
  readonly versions: readonly string[];
  readonly namespaced: boolean;
  /** Names that Kubernetes takes for this kind. */
  readonly name: z.ZodType<string>;
  /** Default: a DNS label. */
  readonly namespaceForm?: z.ZodType<string>;
  /** For kinds that are applied, replicated and rolled back: where one holds that says nothing. Absent: the kind has no scope. */
  readonly scope?: Scope;
  /** It holds there and nowhere else, whatever an annotation says: why, as the end of a sentence. Absent: objects may say otherwise. */
  readonly fixedScope?: string;
  /** Control planes write it for each other, nobody else may: why, as the end of a sentence. Absent: people write it. */
  readonly derived?: string;
  /** An object without spec is whole. Default false. */
  readonly specOptional?: boolean;
  /** Of the spec, for the table of fields. */
  readonly schema: z.ZodType;
  parse(raw: unknown, context: SpecContext): SpecResult;
}

export interface KindOf<S extends z.ZodType> extends Omit<KindRow, 'parse' | 'schema'> {
  readonly schema: S;
  /** Total: whatever the schema takes has a meaning. */
  readonly to: (spec: z.output<S>, context: SpecContext) => unknown;
}

export function kindRow<S extends z.ZodType>({ to, ...row }: KindOf<S>): KindRow {
  const parse = (raw: unknown, context: SpecContext): SpecResult => {
    const result = row.schema.safeParse(raw, { reportInput: true });
    return result.success ? { value: to(result.data, context), issues: [] } : { issues: result.error.issues };
  };
  return { ...row, parse };
}
