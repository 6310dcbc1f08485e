import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition instead of a time; fails with `what` after `timeoutMs`. A condition that throws counts as not yet. */
export async function until<T>(what: string, condition: () => T | Promise<T>, timeoutMs = 20_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<T>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms for: ${what}; last seen: ${last instanceof Error ? last.message : String(last)}`);
    }
    await delay(20);
  }
}
