import type { NetworkId, ServiceKey } from '../../core/model/index.ts';
import type { CatalogChange, CatalogView } from './view.ts';

/** Hands every reader the union of what changed since it last looked: nothing is lost, and a slow reader costs one set. */
export class ChangeFeed {
  readonly #readers = new Set<Reader>();

  publish(change: CatalogChange): void {
    for (const reader of this.#readers) reader.add(change);
  }

  /** Begins with everything in `current()`. Ends when `signal` aborts or the reader returns. */
  async *read(current: () => CatalogView, signal: AbortSignal): AsyncGenerator<CatalogChange, void> {
    const view = current();
    const reader = new Reader({
      view,
      services: new Set([...view.services.keys(), ...view.withheld.keys()]),
      gateways: new Set(view.gateways.keys()),
      sources: true,
    });
    const stop = () => reader.wake();
    signal.addEventListener('abort', stop, { once: true });
    this.#readers.add(reader);
    try {
      while (!signal.aborted) {
        const change = reader.take();
        if (change !== undefined) yield change;
        else await reader.wait();
      }
    } finally {
      this.#readers.delete(reader);
      signal.removeEventListener('abort', stop);
    }
  }
}

class Reader {
  #pending: CatalogChange | undefined;
  #wake: (() => void) | undefined;

  constructor(first: CatalogChange) {
    this.#pending = first;
  }

  add(change: CatalogChange): void {
    const p = this.#pending;
    this.#pending =
      p === undefined
        ? change
        : {
            view: change.view,
            services: union<ServiceKey>(p.services, change.services),
            gateways: union<NetworkId>(p.gateways, change.gateways),
            sources: p.sources || change.sources,
          };
    this.wake();
  }

  take(): CatalogChange | undefined {
    const change = this.#pending;
    this.#pending = undefined;
    return change;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function union<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): ReadonlySet<T> {
  return new Set([...a, ...b]);
}
