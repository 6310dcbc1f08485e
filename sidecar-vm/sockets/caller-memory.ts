/** Who was seen, now or lately, at one watched port. */
export interface SeenCaller {
  readonly address: string;
  /** Empty: it runs on another machine. */
  readonly program: string;
  readonly connections: number;
  /** ms since the last connection was seen. */
  readonly idleMs: number;
}

/** Whoever asks less often than this may miss a caller. */
export const callerRetentionMs = 120_000;
const maxRemembered = 4_096;
const maxReported = 64;

/** Remembers callers for a while after their last connection, as whoever asks does not look all the time. */
export class CallerMemory {
  readonly #callers = new Map<string, { readonly address: string; readonly program: string; connections: number; at: number }>();
  /** Connections now of callers for whom there was no room. */
  #uncounted = 0;

  /** `now`: monotonic ms. */
  note(seen: readonly { readonly address: string; readonly program: string; readonly open: boolean }[], now: number): void {
    this.#uncounted = 0;
    for (const [key, caller] of this.#callers) {
      if (now - caller.at > callerRetentionMs) this.#callers.delete(key);
      else caller.connections = 0;
    }
    for (const { address, program, open } of seen) {
      const key = `${address}\n${program}`;
      const known = this.#callers.get(key) ?? { address, program, connections: 0, at: now };
      known.at = now;
      if (open) known.connections += 1;
      if (this.#callers.has(key) || this.#callers.size < maxRemembered) this.#callers.set(key, known);
      else if (open) this.#uncounted += 1;
    }
  }

  /** Those with most connections first, then the latest. */
  report(now: number): { readonly callers: readonly SeenCaller[]; readonly more: number } {
    const all = [...this.#callers.values()]
      .map(({ address, program, connections, at }) => ({ address, program, connections, idleMs: Math.max(0, Math.round(now - at)) }))
      .sort((a, b) => b.connections - a.connections || a.idleMs - b.idleMs || (a.address < b.address ? -1 : 1));
    return { callers: all.slice(0, maxReported), more: Math.max(0, all.length - maxReported) + this.#uncounted };
  }
}
