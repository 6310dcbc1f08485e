import { closeSync } from 'node:fs';
import type { Server } from 'node:net';
import { type KeptSockets, type ListenerKeeper, type ListenPlace, listening, ownListeners, placeKey } from '../../core/listeners/index.ts';
import { duplicateDescriptor, socketFd } from '../../core/os/index.ts';

/** Duplicates of one place's sockets, for somebody else: `done` closes them. */
export interface Passing {
  readonly key: string;
  readonly descriptors: readonly number[];
  done(): void;
}

/** Listening sockets that came from the process before, and that go to the next: all of each place, as callers wait in the queue of each. */
export class PassedListeners implements ListenerKeeper {
  readonly socketsPerPlace = 'any';
  readonly #given = new Map<string, number[]>();
  readonly #open = new Set<() => Passing | undefined>();
  /** Another process has the same sockets: closing ours must end nothing there. */
  #shared: boolean;

  constructor(shared = false) {
    this.#shared = shared;
  }

  /** From the process before. */
  give(key: string, descriptor: number): void {
    const known = this.#given.get(key);
    if (known === undefined) this.#given.set(key, [descriptor]);
    else known.push(descriptor);
  }

  async listen(server: Server, place: ListenPlace, another?: () => Server): Promise<void> {
    const key = placeKey('tcp', place);
    const [first, ...rest] = this.#claim(key);
    if (first === undefined) await ownListeners.listen(server, place);
    else await adopt(server, first);
    this.#follow(key, server);
    for (const fd of rest) {
      const more = another?.();
      if (more === undefined) closeSync(fd);
      else {
        await adopt(more, fd);
        this.#follow(key, more);
      }
    }
  }

  /** No gateway binds UDP. */
  readonly bind = ownListeners.bind;

  take(place: ListenPlace): KeptSockets | undefined {
    const descriptors = this.#claim(placeKey('tcp', place));
    return descriptors.length === 0 ? undefined : { descriptors, done: () => closeAll(descriptors) };
  }

  keep(place: ListenPlace, duplicates: () => readonly number[]): () => boolean {
    const key = placeKey('tcp', place);
    const passing = () => {
      const descriptors = duplicates();
      return { key, descriptors, done: () => closeAll(descriptors) };
    };
    this.#open.add(passing);
    return () => {
      this.#open.delete(passing);
      return !this.#shared;
    };
  }

  /** Of all that listens now. */
  all(): readonly Passing[] {
    return [...this.#open].flatMap((each) => {
      const passing = each();
      if (passing === undefined) this.#open.delete(each);
      return passing ?? [];
    });
  }

  /** Whether closing gives up nothing, because another process has these sockets. */
  share(shared: boolean): void {
    this.#shared = shared;
  }

  /** What nobody has asked for has no listener any more, and who waits there is reset. Returns whose places these were. */
  dropUnclaimed(): readonly string[] {
    const keys = [...this.#given.keys()];
    for (const key of keys) closeAll(this.#claim(key));
    return keys;
  }

  #claim(key: string): readonly number[] {
    const found = this.#given.get(key) ?? [];
    this.#given.delete(key);
    return found;
  }

  #follow(key: string, server: Server): void {
    this.#open.add(() => {
      const fd = socketFd(server);
      if (fd === undefined) return undefined;
      const descriptors = [duplicateDescriptor(fd)];
      return { key, descriptors, done: () => closeAll(descriptors) };
    });
  }
}

/** The descriptor is the server's then. */
function adopt(server: Server, fd: number): Promise<void> {
  return listening(server, () => server.listen({ fd })).catch((error: unknown) => {
    closeAll([fd]);
    throw error;
  });
}

function closeAll(descriptors: readonly number[]): void {
  for (const fd of descriptors) {
    try {
      closeSync(fd);
    } catch {
      // Node has closed it already.
    }
  }
}
