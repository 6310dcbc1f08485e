import type { Role } from '../../core/config/index.ts';
import { parseDocuments } from '../../core/yaml/index.ts';

const guarded = 'AttestationPolicy';
/** As for join tokens: whoever may write one gives out identities. */
const needed: Role = 'operator';

/** What role these documents need beyond that of their route. */
export function roleForDocuments(files: readonly { readonly file: string; readonly text: string }[]): Role | undefined {
  const documents = files.flatMap(({ file, text }) => parseDocuments(file, text).documents);
  return roleForKinds(documents.map(({ value }) => (value as { kind?: unknown } | null)?.kind));
}

export function roleForKinds(kinds: readonly unknown[]): Role | undefined {
  return kinds.includes(guarded) ? needed : undefined;
}
