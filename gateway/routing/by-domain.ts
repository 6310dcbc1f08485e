/** Finds by host name: exact, then the longest `*.suffix`, then `*`. */
export class ByDomain<T> {
  readonly #exact = new Map<string, T>();
  readonly #suffixes: { readonly suffix: string; readonly value: T }[] = [];
  #any: T | undefined;

  /** Of one domain said twice, the first holds. */
  constructor(entries: Iterable<readonly [domain: string, value: T]>) {
    for (const [domain, value] of entries) {
      const name = domain.toLowerCase();
      if (name === '*') this.#any ??= value;
      else if (name.startsWith('*')) this.#suffixes.push({ suffix: name.slice(1), value });
      else if (!this.#exact.has(name)) this.#exact.set(name, value);
    }
    this.#suffixes.sort((a, b) => b.suffix.length - a.suffix.length);
  }

  /** `host`: lower case, without port. */
  find(host: string): T | undefined {
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact;
    // At least one character stands for the star.
    return this.#suffixes.find(({ suffix }) => host.length > suffix.length && host.endsWith(suffix))?.value ?? this.#any;
  }
}
