import type { SourceId } from '../../core/model/index.ts';
import { sourceId } from '../../core/model/index.ts';
import type { RegistryEvent, RegistrySource } from '../../core/registry/index.ts';

/** A registry that says what the test tells it to, in order, losslessly. */
export class ScriptedSource implements RegistrySource {
  readonly id: SourceId;
  readonly #queue: (RegistryEvent | Error)[] = [];
  #wake: (() => void) | undefined;
  /** Iterations that are running. */
  watching = 0;
  /** Events taken by a reader. */
  taken = 0;

  constructor(id: string) {
    this.id = sourceId(id);
  }

  /** An Error breaks the contract: the iteration throws it. */
  say(...events: (RegistryEvent | Error)[]): void {
    this.#queue.push(...events);
    this.#wake?.();
  }

  async *watch(signal: AbortSignal): AsyncIterable<RegistryEvent> {
    const wake = () => this.#wake?.();
    signal.addEventListener('abort', wake, { once: true });
    this.watching += 1;
    try {
      while (!signal.aborted) {
        const event = this.#queue.shift();
        if (event instanceof Error) throw event;
        if (event !== undefined) {
          this.taken += 1;
          yield event;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.watching -= 1;
      signal.removeEventListener('abort', wake);
    }
  }
}
