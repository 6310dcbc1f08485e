import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Store } from '../../core/store.ts';

export interface KeySetsOptions {
  readonly store: Pick<Store, 'list' | 'txn'>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** See fetchKeys. */
  readonly fetch: (uri: string, timeoutMs: number, signal: AbortSignal) => Promise<string>;
  /** What `current` says is another. */
  readonly onChange: () => void;
}

const prefix = 'jwks/';
/** Of one issuer, once its keys are had. */
const refreshMs = 20 * 60_000;
const firstRetryMs = 2_000;
const longestRetryMs = 5 * 60_000;

interface Kept {
  readonly uri: string;
  readonly keys: string;
}

/**
 * Keys of issuers, by the URI where each says its own: fetched again and again, the last good ones kept in the store. An issuer that is
 * away, or sends nothing that can be read, changes nothing; a restart without it neither.
 */
export class KeySets {
  readonly #options: KeySetsOptions;
  readonly #keys = new Map<string, string>();
  readonly #wanted = new Map<string, AbortController>();
  #ended = false;

  private constructor(options: KeySetsOptions) {
    this.#options = options;
  }

  /** Reads what was kept. Nothing is fetched before somebody wants it; `signal` ends all of it. */
  static async open(options: KeySetsOptions, signal: AbortSignal): Promise<KeySets> {
    const sets = new KeySets(options);
    for (const { value } of (await options.store.list(prefix)).entries) {
      const kept = keptOf(value);
      if (kept !== undefined) sets.#keys.set(kept.uri, kept.keys);
    }
    signal.addEventListener('abort', () => sets.#end(), { once: true });
    return sets;
  }

  /** JSON (RFC 7517); undefined: none were ever had. */
  current(uri: string): string | undefined {
    return this.#keys.get(uri);
  }

  /** From now on these, with how long one fetch may take (ms); others are forgotten. */
  want(uris: ReadonlyMap<string, number>): void {
    if (this.#ended) return;
    for (const [uri, controller] of this.#wanted) {
      if (uris.has(uri)) continue;
      controller.abort();
      this.#wanted.delete(uri);
      this.#keys.delete(uri);
      this.#write(uri, { op: 'delete', key: keyOf(uri) });
    }
    for (const [uri, timeoutMs] of uris) {
      if (this.#wanted.has(uri)) continue;
      const controller = new AbortController();
      this.#wanted.set(uri, controller);
      void this.#follow(uri, timeoutMs, controller.signal);
    }
  }

  #end(): void {
    this.#ended = true;
    for (const controller of this.#wanted.values()) controller.abort();
    this.#wanted.clear();
  }

  async #follow(uri: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { clock, random, log, fetch } = this.#options;
    let retryMs = firstRetryMs;
    while (!signal.aborted) {
      let waitMs = refreshMs;
      try {
        this.#take(uri, await fetch(uri, timeoutMs, signal));
        retryMs = firstRetryMs;
      } catch (error) {
        if (signal.aborted) return;
        const kept = this.#keys.has(uri) ? 'those of before are kept' : 'until then no token of it holds';
        log.warn({ error: error instanceof Error ? error.message : String(error) }, `keys of an issuer could not be had; ${kept}`);
        waitMs = retryMs;
        retryMs = Math.min(retryMs * 2, longestRetryMs);
      }
      // Replicas that began together do not ask together.
      await clock.sleep(waitMs * (0.8 + 0.4 * random()), signal).catch(() => undefined);
    }
  }

  #take(uri: string, keys: string): void {
    if (this.#keys.get(uri) === keys) return;
    this.#keys.set(uri, keys);
    this.#write(uri, { op: 'put', key: keyOf(uri), value: Buffer.from(JSON.stringify({ uri, keys } satisfies Kept)) });
    this.#options.onChange();
  }

  /** What could not be written is fetched again after a restart. */
  #write(uri: string, op: Parameters<Store['txn']>[0]['then'][number]): void {
    const { store, log } = this.#options;
    store.txn({ if: [], then: [op] }).catch((error: unknown) => {
      log.warn({ error: String(error), issuer: new URL(uri).origin }, 'keys of an issuer could not be kept');
    });
  }
}

function keyOf(uri: string): string {
  return `${prefix}${createHash('sha256').update(uri).digest('hex')}`;
}

function keptOf(value: Uint8Array): Kept | undefined {
  try {
    const { uri, keys } = JSON.parse(Buffer.from(value).toString('utf8')) as Partial<Kept>;
    return typeof uri === 'string' && typeof keys === 'string' ? { uri, keys } : undefined;
  } catch {
    return undefined;
  }
}
