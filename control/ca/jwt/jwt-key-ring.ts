import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import { generateKey, type JwtKey } from '../../../core/pki/index.ts';
import { JwtKeyFile, type StoredJwtKey, storedKey } from './jwt-key-file.ts';

export interface JwtKeyRingOptions {
  /** stateDir/ca. */
  readonly dir: string;
  readonly cluster: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Of a key, ms. Default 48 h. */
  readonly lifeMs?: number;
  /** For how long a key is published before it signs, ms: longer than verifiers take to ask again. Default 1 h. */
  readonly announceMs?: number;
}

export interface SigningJwtKey {
  readonly keyId: string;
  readonly key: KeyObject;
  /** Unix ms; no token of it may live longer. */
  readonly notAfter: number;
}

export interface JwtKeyState {
  readonly keyId: string;
  /** `signs`, `next` (published, signs later), `previous` (its tokens may still live). */
  readonly state: 'signs' | 'next' | 'previous';
  readonly notAfter: number;
}

const defaults = { lifeMs: 48 * 3_600_000, announceMs: 3_600_000 };

/**
 * The keys by which one cluster signs JWT-SVIDs. The next one is made, and published, at half of the life of the one that signs, and signs from five
 * sixths of it on; each is published until the last token that it can have signed has ended. Durable before anybody is told of it, or it signs.
 */
export class JwtKeyRing {
  readonly #options: JwtKeyRingOptions & typeof defaults;
  readonly #file: JwtKeyFile;
  readonly #listeners = new Set<() => void>();
  /** By age. */
  #keys: readonly StoredJwtKey[];
  #signs: string | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: JwtKeyRingOptions, file: JwtKeyFile, keys: readonly StoredJwtKey[]) {
    this.#options = { ...defaults, ...options };
    this.#file = file;
    this.#keys = keys;
  }

  /** With a key that signs. MeshError IDENTITY_INVALID for a file that cannot be read. */
  static async open(options: JwtKeyRingOptions): Promise<JwtKeyRing> {
    const file = new JwtKeyFile(options.dir);
    const ring = new JwtKeyRing(options, file, await file.load());
    await ring.maintain();
    return ring;
  }

  /** Undefined: none is in its time, which only a failing disk brings about. */
  signing(): SigningJwtKey | undefined {
    return this.#signing();
  }

  /** What others verify by; as they are in their times. */
  published(): readonly JwtKey[] {
    const { cluster, clock } = this.#options;
    return this.#keys
      .filter(({ notAfter }) => notAfter > clock.now())
      .map(({ keyId, publicKey, notAfter }) => ({ cluster, keyId, publicKey, notAfterMs: notAfter, namespaces: ['*'] }));
  }

  states(): readonly JwtKeyState[] {
    const signs = this.#signing();
    const now = this.#options.clock.now();
    return this.#keys
      .filter(({ notAfter }) => notAfter > now)
      .map(({ keyId, notAfter, createdAt }) => ({
        keyId,
        notAfter,
        state: keyId === signs?.keyId ? 'signs' : createdAt > (signs?.createdAt ?? 0) ? 'next' : 'previous',
      }));
  }

  /** To be called now and then, more often than a sixth of a key's life: makes the next key when it is due, and forgets those that have ended. */
  maintain(): Promise<void> {
    const turn = this.#turn.then(() => this.#maintain());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** After each change of what is published. Returns its undoing. */
  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  async #maintain(): Promise<void> {
    const { clock, lifeMs, log } = this.#options;
    const now = clock.now();
    const living = this.#keys.filter(({ notAfter }) => notAfter > now);
    const newest = living.at(-1);
    // A clock that was ahead when a key was made would keep it from ever being followed.
    const due = newest === undefined || now >= newest.notAfter - lifeMs / 2 || newest.createdAt > now + lifeMs;
    const next = due ? [storedKey(generateKey(), now, now + lifeMs)] : [];
    if (next.length > 0 || living.length < this.#keys.length) {
      const keys = [...living, ...next];
      await this.#file.save(keys);
      this.#keys = keys;
      for (const { keyId, notAfter } of next) log.info({ keyId, notAfter }, 'a key for JWT-SVIDs is published');
      for (const listener of [...this.#listeners]) listener();
    }
    const signs = this.#signing()?.keyId;
    if (signs !== this.#signs) log.info({ keyId: signs }, 'JWT-SVIDs are signed by another key from now on');
    this.#signs = signs;
  }

  /** The newest that was published for long enough and whose predecessor is past five sixths of its life; without any in its time the newest there is. */
  #signing(): StoredJwtKey | undefined {
    const { clock, lifeMs, announceMs } = this.#options;
    const now = clock.now();
    const living = this.#keys.filter(({ notAfter }) => notAfter > now);
    const ready = living.filter(({ createdAt }, i) => {
      const before = living[i - 1];
      return before === undefined || (now - createdAt >= announceMs && now >= before.notAfter - lifeMs / 6);
    });
    return ready.at(-1);
  }
}
