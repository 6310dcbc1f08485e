import { join } from 'node:path';
import { ensureOwnerOnlyDir, readIfThere, writeOwnerOnly } from './owner-only-file.ts';

/** One more than at the last start; durable before it is used, so that no two starts share one. The first is 1. */
export async function nextGeneration(dir: string): Promise<number> {
  await ensureOwnerOnlyDir(dir);
  const path = join(dir, 'generation');
  const last = Number((await readIfThere(path)) ?? '0');
  const next = Number.isSafeInteger(last) && last >= 0 ? last + 1 : 1;
  await writeOwnerOnly(path, `${next}\n`);
  return next;
}
