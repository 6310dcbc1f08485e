import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';

/** What the control plane signed. */
export interface FreshToken {
  readonly token: string;
  /** Unix ms, by the signer's clock, which said `serverTimeMs` when it signed. */
  readonly expiresAtMs: number;
  readonly serverTimeMs: number;
}

interface Kept {
  readonly token: string;
  /** On the monotonic clock. */
  readonly freshUntil: number;
  readonly endsAt: number;
}

export interface JwtTokensOptions {
  readonly sign: (audiences: readonly string[]) => Promise<FreshToken>;
  readonly clock: Clock;
}

const mostKept = 256;
const mostAsked = 32;
/** What is left of a token must be of use to whoever gets it. */
const leastLeftMs = 10_000;

/**
 * The JWT-SVIDs of one identity: one for each set of audiences, kept until half of its life, and for as long as it is of use where nobody signs. In memory
 * alone: a token on disk would be whoever's reads it.
 */
export class JwtTokens {
  readonly #options: JwtTokensOptions;
  /** By audiences; who was asked for longest ago stands first. */
  readonly #kept = new Map<string, Kept>();
  readonly #asked = new Map<string, Promise<Kept>>();

  constructor(options: JwtTokensOptions) {
    this.#options = options;
  }

  /** `subject`: whom the identity is of now. `audiences`: what `audienceFault` has nothing against. Rejects with MeshErrors: LIMIT_EXCEEDED where too many are asked for at once, else the signer's. */
  async token(subject: string, audiences: readonly string[]): Promise<string> {
    const { clock } = this.#options;
    const key = JSON.stringify([subject, ...[...audiences].sort()]);
    const known = this.#kept.get(key);
    if (known !== undefined && clock.monotonic() < known.freshUntil) return this.#keep(key, known).token;
    try {
      return (await this.#ask(key, audiences)).token;
    } catch (error) {
      const retryable = error instanceof MeshError && error.retryable;
      // Who was refused is to have none of before either.
      if (!retryable) this.#kept.delete(key);
      if (retryable && known !== undefined && clock.monotonic() < known.endsAt - leastLeftMs) return known.token;
      throw error;
    }
  }

  #ask(key: string, audiences: readonly string[]): Promise<Kept> {
    const under = this.#asked.get(key);
    if (under !== undefined) return under;
    if (this.#asked.size >= mostAsked)
      return Promise.reject(new MeshError('LIMIT_EXCEEDED', 'too many tokens at once', { retryable: true }));
    const asked = this.#sign(key, audiences).finally(() => this.#asked.delete(key));
    this.#asked.set(key, asked);
    return asked;
  }

  async #sign(key: string, audiences: readonly string[]): Promise<Kept> {
    const { sign, clock } = this.#options;
    // Its life is counted from before it was asked for: what the way took is not to be had.
    const from = clock.monotonic();
    const { token, expiresAtMs, serverTimeMs } = await sign(audiences);
    const lifeMs = expiresAtMs - serverTimeMs;
    return this.#keep(key, { token, freshUntil: from + lifeMs / 2, endsAt: from + lifeMs });
  }

  #keep(key: string, kept: Kept): Kept {
    this.#kept.delete(key);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= mostKept && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(key, kept);
    return kept;
  }
}
