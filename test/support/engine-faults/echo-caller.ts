import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

export interface CallTo {
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly address?: string;
  /** Our own address; default what the system chooses. */
  readonly from?: string;
  /** Said first; default one byte. */
  readonly hello?: Uint8Array;
}

/** A caller of an echo server through an engine. */
export class EchoCaller {
  readonly socket: Socket;
  /** When it was closed, by `performance.now()`. */
  closedAt: number | undefined;
  /** Bytes that have come back. */
  echoed = 0;
  #sent = 0;

  constructor({ port, address = '127.0.0.1', from, hello = Buffer.from('?') }: CallTo) {
    this.socket = connect({ port, host: address, noDelay: true, ...(from === undefined ? {} : { localAddress: from }) });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closedAt = performance.now();
    });
    this.socket.on('data', (chunk) => {
      this.echoed += chunk.length;
    });
    this.say(hello);
  }

  say(bytes: Uint8Array): void {
    this.#sent += bytes.length;
    this.socket.write(bytes);
  }

  /** All that it said has come back. */
  get served(): boolean {
    return this.closedAt === undefined && this.#sent > 0 && this.echoed === this.#sent;
  }

  /** It is served, or nobody will. */
  get settled(): boolean {
    return this.served || this.closedAt !== undefined;
  }

  async close(): Promise<void> {
    if (this.closedAt !== undefined) return;
    const closed = once(this.socket, 'close');
    this.socket.destroy();
    await closed;
  }
}

/** Whether a new caller is served; it is closed again. */
export async function isServed(to: CallTo, withinMs = 5_000): Promise<boolean> {
  const caller = new EchoCaller(to);
  const until = performance.now() + withinMs;
  while (!caller.settled && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 2));
  const { served } = caller;
  await caller.close();
  return served;
}
