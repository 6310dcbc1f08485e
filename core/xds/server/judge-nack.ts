import type { Status } from '../gen/google/rpc/status.ts';
import { rejectionsOf } from '../rejections.ts';
import { namedInNack } from './nack-text.ts';

/** What a NACK says of the resources offered: which are bad, in the client's words, and what is to become of the others. */
export interface Verdict {
  readonly refused: ReadonlyMap<string, string>;
  /** `again`: the client may have stopped at the bad one. `alone`: nobody knows which is bad, so each is tried by itself. */
  readonly rest: 'taken' | 'again' | 'alone';
}

/** `offered`: what the client had not refused before; `listed`: all that was in the response, in its order. */
export function judgeNack(error: Status, offered: ReadonlySet<string>, listed: readonly string[]): Verdict {
  const exact = new Map<string, string>();
  for (const { name, reason } of rejectionsOf(error) ?? []) if (offered.has(name)) exact.set(name, reason);
  if (exact.size > 0) return { refused: exact, rest: 'taken' };
  const text = namedInNack(error.message, listed);
  const named = new Map([...text.named].filter(([name]) => offered.has(name)));
  const [only] = offered;
  if (offered.size === 1 && only !== undefined && named.size === 0 && !text.tookRest) {
    return { refused: new Map([[only, error.message.slice(0, 512)]]), rest: 'taken' };
  }
  return { refused: named, rest: text.tookRest ? 'taken' : named.size > 0 ? 'again' : 'alone' };
}
