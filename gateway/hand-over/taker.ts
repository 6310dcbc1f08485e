import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { passDescriptors, socketFd } from '../../core/os/index.ts';
import { readLines, type ToServing, type ToTaker } from './protocol.ts';

/** All that a process which takes over has to say. */
const mostBytes = 4_096;

/** The other end of a connection over which somebody takes over: what it says, in bounds of size and time. */
export class Taker {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #heard: { readonly say?: unknown }[] = [];
  #rest = '';
  #bytes = 0;
  #fault: string | undefined;
  #wake: () => void = () => {};

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.once('close', () => this.#fail('the other process ended'));
  }

  /** Waits until it says that; what else it says is of a later version. MeshError ABORTED: it ended, or speaks another language; DEADLINE_EXCEEDED. */
  async hear<Say extends ToServing['say']>(say: Say, ms: number): Promise<Extract<ToServing, { readonly say: Say }>> {
    const over = new AbortController();
    let late = false;
    this.#clock.sleep(ms, over.signal).then(
      () => {
        late = true;
        this.#wake();
      },
      () => undefined,
    );
    try {
      for (;;) {
        const message = this.#heard.shift();
        if (message?.say === say) return message as Extract<ToServing, { readonly say: Say }>;
        if (message !== undefined) continue;
        if (this.#fault !== undefined) throw new MeshError('ABORTED', this.#fault);
        if (late) throw new MeshError('DEADLINE_EXCEEDED', `the other process did not say ${say} within ${ms / 1_000} s`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      over.abort();
    }
  }

  say(message: ToTaker): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** False: it has not read what came before. MeshError ABORTED, INTERNAL. */
  pass(message: ToTaker, descriptors: readonly number[]): boolean {
    const fd = socketFd(this.#socket);
    if (fd === undefined || this.#fault !== undefined) throw new MeshError('ABORTED', this.#fault ?? 'the other process ended');
    return passDescriptors(fd, Buffer.from(`${JSON.stringify(message)}\n`), descriptors);
  }

  end(): void {
    this.#socket.end();
    this.#socket.resume();
  }

  #take(chunk: Buffer): void {
    this.#bytes += chunk.length;
    const read = this.#bytes > mostBytes ? undefined : readLines(this.#rest + chunk.toString());
    if (read === undefined) {
      this.#fail('the other process says what is no message');
      return;
    }
    this.#rest = read.rest;
    this.#heard.push(...read.messages);
    this.#wake();
  }

  #fail(why: string): void {
    this.#fault ??= why;
    this.#wake();
  }
}
