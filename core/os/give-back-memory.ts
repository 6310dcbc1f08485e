import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { cleanMappings } from './clean-mappings.ts';
import { libc } from './libc.ts';

/** MADV_DONTNEED. */
const dontNeed = 4;

/**
 * Collects all garbage, and returns to the system what that freed: V8 does neither while nothing is allocated, so that a process which
 * rests keeps all that its start took. The pages of Node's own program are let go of as well, most of which its start alone has used: those that are
 * used again come back from the system's cache of the file, at about a microsecond each. Takes tens of milliseconds, in which nothing else runs:
 * for moments of rest. Does what can be done here; never throws.
 */
export function giveBackMemory(): void {
  try {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    setFlagsFromString('--no-expose-gc');
    const { trim, madvise } = libc();
    trim?.(0);
    for (const { at, length } of cleanMappings(readFileSync('/proc/self/smaps', 'utf8'), process.execPath)) madvise(at, length, dontNeed);
  } catch {
    // Another system, or another libc: there is more of it in memory than need be.
  }
}
