import { http2Limits } from './limits.ts';

/**
 * Counts streams that a caller opens and soon takes back, which cost it next to nothing and us a request each (CVE-2023-44487):
 * a connection most of whose streams are such is given up. Envoy's rule, with its numbers.
 */
export class PrematureResets {
  #closed = 0;
  #premature = 0;

  /** `reset`: by its caller, before an answer. True: the connection has had enough of them. */
  closed(reset: boolean, livedMs: number): boolean {
    this.#closed += 1;
    if (!reset || livedMs >= http2Limits.prematureMs) return false;
    this.#premature += 1;
    return this.#premature * 2 > Math.max(this.#closed, http2Limits.resetsJudgedFrom);
  }
}
