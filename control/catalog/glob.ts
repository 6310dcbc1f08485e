import { matchesGlob } from '../../core/registry/index.ts';

export function matchesAny(globs: readonly string[], text: string): boolean {
  return globs.some((glob) => matchesGlob(glob, text));
}
