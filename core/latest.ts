/**
 * A channel for complete values where only the newest matters: a slow reader skips what it missed. Use it after the
 * catalog only; before it deltas are lossless.
 */
export class Latest<T> implements AsyncIterable<T> {
  #value: { readonly value: T } | undefined;
  #version = 0;
  #closed = false;
  readonly #waiters = new Set<() => void>();

  /** The newest value, if any was ever set. */
  get current(): T | undefined {
    return this.#value?.value;
  }

  set(value: T): void {
    if (this.#closed) return;
    this.#value = { value };
    this.#version += 1;
    this.#wake();
  }

  /** Ends every iteration after the newest value has been seen. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    let seen = 0;
    for (;;) {
      if (this.#value !== undefined && this.#version !== seen) {
        seen = this.#version;
        yield this.#value.value;
        continue;
      }
      if (this.#closed) return;
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  #wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }
}
