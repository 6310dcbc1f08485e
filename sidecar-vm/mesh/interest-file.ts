import { z } from 'zod';
import { readIfThere, writeOwnerOnly } from '../../core/identity/index.ts';

const schema = z.object({ format: z.literal('isthmus-interest-v1'), idleMs: z.record(z.string().max(253), z.number().min(0)) });

/** Host → ms without use. Undefined with a `fault` when a file is there that cannot be used, without one when none is. Never throws. */
export async function loadInterest(path: string): Promise<{ readonly idle?: ReadonlyMap<string, number>; readonly fault?: string }> {
  try {
    const text = await readIfThere(path);
    if (text === undefined) return {};
    return { idle: new Map(Object.entries(schema.parse(JSON.parse(text)).idleMs)) };
  } catch (error) {
    const unreadable = error instanceof Error && 'code' in error;
    return { fault: unreadable ? `it cannot be read: ${error.message}` : 'it is damaged, or of another format' };
  }
}

/**
 * Atomic and synced. Only time that the agent ran counts as without use: what a machine calls is of interest after it was off for a
 * week, too.
 */
export async function saveInterest(path: string, used: ReadonlyMap<string, number>, now: number): Promise<void> {
  const idleMs = Object.fromEntries([...used].map(([host, at]) => [host, Math.max(0, Math.round(now - at))]));
  await writeOwnerOnly(path, `${JSON.stringify({ format: 'isthmus-interest-v1', idleMs })}\n`);
}
