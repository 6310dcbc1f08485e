import type { Status } from '../gen/google/rpc/status.ts';
import { rejectionsOf } from '../rejections.ts';
import { namedInNack } from './nack-text.ts';
import type { InFlight } from './subscription-types.ts';

/** What a NACK says of the resources offered: which are bad, in the client's words, and what is to become of the others. */
export interface Verdict {
  readonly refused: ReadonlyMap<string, string>;
  /** `again`: the client may have stopped at the bad one. `alone`: nobody knows which is bad, so each is tried by itself. */
  readonly rest: 'taken' | 'again' | 'alone';
  /** The text names none: these are refused because nothing else was new. */
  readonly guessed: boolean;
}

/** `fresh`: what of the response was new to the client and it had not refused before; `based`: it is known what else the client holds. */
export function judgeResponse(error: Status, { offered, listed }: InFlight, fresh: readonly string[], based: boolean): Verdict {
  const verdict = judgeNack(error, new Set(offered.keys()), fresh, listed);
  const guessed = verdict.guessed && fresh.length < offered.size;
  if (verdict.rest === 'taken' || based) return { ...verdict, guessed };
  // The client may hold older versions of any of them, which a response without the bad one's would delete: it stays on what it has.
  const message = error.message.slice(0, 512);
  return { refused: new Map(fresh.map((name) => [name, verdict.refused.get(name) ?? message])), rest: 'alone', guessed };
}

/** `offered`: what was new to the client in the response; `listed`: all that was in it, in its order. */
function judgeNack(error: Status, offered: ReadonlySet<string>, fresh: readonly string[], listed: readonly string[]): Verdict {
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
