import { createSocket } from 'node:dgram';
import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';

/** Three fit into the time after which the packet filter takes the agent for dead. */
const everyMs = 900;
/** As many in a row say that the rules have come or gone. */
const sure = 2;

export interface SignOfLifeOptions {
  /** Of 127.0.0.1, as the rules have it. */
  readonly port: number;
  readonly clock: Clock;
  readonly send?: SendSign;
}

/** One datagram to 127.0.0.1; rejects with the error's `code`. */
export type SendSign = (port: number) => Promise<void>;

/**
 * Tells the packet filter that the agent lives. Its rule takes the datagram and drops it, which the sender is told (EPERM): so the agent
 * knows, without any right to look, whether the rules are in place.
 */
export class SignOfLife {
  readonly #options: SignOfLifeOptions;
  readonly #listeners = new Set<() => void>();
  #inPlace: boolean | undefined;
  #against = 0;

  constructor(options: SignOfLifeOptions) {
    this.#options = options;
  }

  /** Undefined before the first. */
  get inPlace(): boolean | undefined {
    return this.#inPlace;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async beat(): Promise<void> {
    const { send = sendSign, port } = this.#options;
    const dropped = await send(port).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'EPERM',
    );
    if (this.#inPlace === dropped) {
      this.#against = 0;
      return;
    }
    this.#against += 1;
    if (this.#inPlace !== undefined && this.#against < sure) return;
    this.#against = 0;
    this.#inPlace = dropped;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#options.clock.sleep(everyMs, signal);
        await this.beat();
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }
}

const sendSign: SendSign = (port) =>
  new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    // A refusal by ICMP, where no rule takes it.
    socket.on('error', () => {});
    socket.send('isthmus', port, '127.0.0.1', (error) => {
      socket.close();
      if (error === null) resolve();
      else reject(error);
    });
  });
