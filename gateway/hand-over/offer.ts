import { chmod, rename, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { MeshError, toMeshError } from '../../core/errors.ts';
import { listening } from '../../core/listeners/index.ts';
import type { Log } from '../../core/log.ts';
import { peerCredentials, socketFd } from '../../core/os/index.ts';
import type { PassedListeners } from './passed-listeners.ts';
import { answerMs, mostSockets, startMs, type ToTaker } from './protocol.ts';
import { Taker } from './taker.ts';

export interface OfferOptions {
  readonly path: string;
  readonly kind: string;
  readonly instance: string;
  readonly listeners: PassedListeners;
  /** What stands in the files is what runs. MeshError: nothing can be handed over now, and why. */
  readonly prepare: () => Promise<void>;
  /** Somebody else serves: accept nobody any more; resolves when all is free that there can be one of. */
  readonly release: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Each waits for its turn at most that long in the kernel's queue. */
const mostConnections = 4;
const retryMs = 5;

/** Offers the listening sockets of this process to a newer one of the same user, on a Unix socket in a folder that is that user's alone. */
export class Offer {
  readonly #options: OfferOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #taking = false;
  #released = false;

  constructor(options: OfferOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = mostConnections;
  }

  /** Takes the place of the process before, where `checkPlace` found nothing wrong. MeshError PORT_TAKEN. */
  async open(): Promise<void> {
    const { path } = this.#options;
    const own = `${path}.${process.pid}`;
    try {
      await rm(own, { force: true });
      await listening(this.#server, () => this.#server.listen({ path: own }));
      await chmod(own, 0o600);
      // Whoever asks finds the one before or this one, and never nobody.
      await rename(own, path);
    } catch (cause) {
      this.#server.close();
      throw new MeshError('PORT_TAKEN', `cannot listen on ${path}: ${(cause as Error).message}; check the rights of its folder`, { cause });
    }
    this.#server.on('error', () => {});
  }

  /** Idempotent. */
  async close(): Promise<void> {
    const mine = this.#server.listening && !this.#released;
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    if (mine) await rm(this.#options.path, { force: true });
  }

  #accept(socket: Socket): void {
    const { log } = this.#options;
    socket.on('error', () => {});
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const uid = uidOf(socket);
    if (uid === undefined || uid !== process.geteuid?.()) {
      log.warn({ uid }, 'nothing is handed over to another user');
      socket.destroy();
      return;
    }
    const taker = new Taker(socket, this.#options.clock);
    this.#serve(taker)
      .catch((error: unknown) => {
        const { message } = toMeshError(error);
        log.error({ reason: message }, 'nothing was handed over: this process goes on');
        taker.say({ say: 'refused', reason: message });
      })
      .finally(() => taker.end());
  }

  async #serve(taker: Taker): Promise<void> {
    const { kind, instance, listeners, prepare, release, log } = this.#options;
    const asked = await taker.hear('take', answerMs);
    if (asked.kind !== kind || asked.instance !== instance)
      throw new MeshError('CONFLICT', `this is ${kind} ${instance}, and no other takes over from it`);
    if (this.#taking) throw new MeshError('CONFLICT', 'another process is taking over already');
    this.#taking = true;
    try {
      await prepare();
      listeners.share(true);
      const sockets = await this.#pass(taker);
      log.info({ sockets }, 'another process has the listening sockets, and starts');
      await taker.hear('serving', startMs);
      this.#released = true;
      // Nobody who is let in from here on would be answered.
      this.#server.close();
      await release();
      taker.say({ say: 'released' });
    } finally {
      this.#taking = false;
      if (!this.#released) listeners.share(false);
    }
  }

  /** How many. */
  async #pass(taker: Taker): Promise<number> {
    const all = this.#options.listeners.all().flatMap((each) => each.descriptors.map((fd) => ({ key: each.key, fd, done: each.done })));
    const deadline = this.#options.clock.monotonic() + answerMs;
    try {
      for (let at = 0; at === 0 || at < all.length; at += mostSockets) {
        const some = all.slice(at, at + mostSockets);
        const message: ToTaker = { say: 'sockets', keys: some.map(({ key }) => key), more: at + mostSockets < all.length };
        while (
          !taker.pass(
            message,
            some.map(({ fd }) => fd),
          )
        ) {
          if (this.#options.clock.monotonic() > deadline) throw new MeshError('DEADLINE_EXCEEDED', 'the other process does not read');
          await this.#options.clock.sleep(retryMs);
        }
      }
    } finally {
      for (const done of new Set(all.map((each) => each.done))) done();
    }
    return all.length;
  }
}

function uidOf(socket: Socket): number | undefined {
  try {
    const fd = socketFd(socket);
    return fd === undefined ? undefined : peerCredentials(fd).uid;
  } catch {
    return undefined;
  }
}
