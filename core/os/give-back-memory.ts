import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { libc } from './libc.ts';

/**
 * Collects all garbage, and returns to the system what that freed: V8 does neither while nothing is allocated, so that a process which
 * rests keeps all that its start took. Takes tens of milliseconds, in which nothing else runs: for moments of rest. Does what can be
 * done here; never throws.
 */
export function giveBackMemory(): void {
  try {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    setFlagsFromString('--no-expose-gc');
    libc().trim?.(0);
  } catch {
    // Another system, or another libc: there is more of it in memory than need be.
  }
}
