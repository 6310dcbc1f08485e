import type { Token } from './object-index.ts';

/** Which owners asked which tokens when they were last made. */
export class Dependencies {
  readonly #asked = new Map<string, ReadonlySet<Token>>();
  readonly #askers = new Map<Token, Set<string>>();

  /** Undefined: the owner is gone. */
  replace(owner: string, tokens: ReadonlySet<Token> | undefined): void {
    for (const token of this.#asked.get(owner) ?? []) {
      const askers = this.#askers.get(token);
      askers?.delete(owner);
      if (askers?.size === 0) this.#askers.delete(token);
    }
    this.#asked.delete(owner);
    if (tokens === undefined || tokens.size === 0) return;
    this.#asked.set(owner, tokens);
    for (const token of tokens) {
      const askers = this.#askers.get(token);
      if (askers === undefined) this.#askers.set(token, new Set([owner]));
      else askers.add(owner);
    }
  }

  askers(token: Token): Iterable<string> {
    return this.#askers.get(token) ?? [];
  }
}
