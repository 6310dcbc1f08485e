import type { Status } from '../gen/google/rpc/status.ts';
import { rejectionsOf } from '../rejections.ts';
import { namedInNack } from './nack-text.ts';

/** What a NACK says of the resources offered: which are bad, in the client's words, and what is to become of the others. */
export interface Verdict {
  readonly refused: ReadonlyMap<string, string>;
  /** `again`: the client may have stopped at the bad one. `alone`: nobody knows which is bad, so each is tried by itself. */
  readonly rest: 'taken' | 'again' | 'alone';
  /** The text names none: these are refused because nothing else was new. */
  readonly guessed: boolean;
}

/**
 * `offered`: what was new to the client in the response; `fresh`: those of them that it had not refused before; `listed`: all that
 * was in the response, in its order.
 */
export function judgeNack(error: Status, offered: ReadonlySet<string>, fresh: readonly string[], listed: readonly string[]): Verdict {
  const exact = new Map<string, string>();
  for (const { name, reason } of rejectionsOf(error) ?? []) if (offered.has(name)) exact.set(name, reason);
  if (exact.size > 0) return { refused: exact, rest: 'taken', guessed: false };
  const text = namedInNack(error.message, listed);
  const named = new Map([...text.named].filter(([name]) => offered.has(name)));
  if (named.size > 0) return { refused: named, rest: text.tookRest ? 'taken' : 'again', guessed: false };
  const suspects = fresh.length > 0 ? fresh : [...offered];
  if (suspects.length > 1) return { refused: named, rest: 'alone', guessed: false };
  return { refused: new Map(suspects.map((name) => [name, error.message.slice(0, 512)])), rest: 'again', guessed: true };
}
