import { join } from 'node:path';
import { ensureOwnerOnlyDir, readIfThere, writeOwnerOnly } from './owner-only-file.ts';

/**
 * Higher than at the last start; durable before it is used, so that no two starts on one disk share one (those of a copy may: Hello.start tells them
 * apart). It follows the clock (Unix seconds of `now`), so
 * that a machine that lost its folder and joins again is still newer than what it was, and never goes back when the clock does.
 */
export async function nextGeneration(dir: string, now: number): Promise<number> {
  await ensureOwnerOnlyDir(dir);
  const path = join(dir, 'generation');
  const last = Number((await readIfThere(path)) ?? '0');
  const next = Math.max(Number.isSafeInteger(last) ? last + 1 : 1, Math.floor(now / 1_000));
  await writeOwnerOnly(path, `${next}\n`);
  return next;
}
