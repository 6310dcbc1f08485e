/**
 * What a gateway and the process that takes over from it say to each other on a Unix socket, one JSON object a line. It outlives versions: words are only
 * ever added, and what is not known is passed over.
 */
export type ToServing =
  /** First. The two have to be the same gateway. */
  | { readonly say: 'take'; readonly kind: string; readonly instance: string }
  /** It accepts on all that it was given. */
  | { readonly say: 'serving' };

export type ToTaker =
  /** With as many listening sockets: `keys` says which places they are of, several perhaps of one. `more`: others follow. */
  | { readonly say: 'sockets'; readonly keys: readonly string[]; readonly more: boolean }
  /** The gateway goes on as it is. */
  | { readonly say: 'refused'; readonly reason: string }
  /** It accepts nobody any more, and its folder, its stream and its registration are free. */
  | { readonly say: 'released' };

/** Of one line. */
export const mostLineBytes = 65_536;
/** Sockets in one message. */
export const mostSockets = 32;
/** From `take` to `serving`, ms. */
export const startMs = 60_000;
/** For every other answer, ms. */
export const answerMs = 10_000;

/** Whole lines of what has come, and what is left over. Undefined: a line is no object, or too long. */
export function readLines(text: string): { readonly messages: readonly { readonly say?: unknown }[]; readonly rest: string } | undefined {
  const lines = text.split('\n');
  const rest = lines.pop() ?? '';
  if (rest.length > mostLineBytes) return undefined;
  const messages: { readonly say?: unknown }[] = [];
  for (const line of lines) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(line);
    } catch {
      return undefined;
    }
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    messages.push(parsed);
  }
  return { messages, rest };
}
