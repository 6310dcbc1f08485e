import type { Clock } from '../../core/clock.ts';
import { MeshError, toMeshError } from '../../core/errors.ts';
import { closeDescriptor, connectUnix, passDescriptors, receiveDescriptors } from '../../core/os/index.ts';
import { PassedListeners } from './passed-listeners.ts';
import { answerMs, mostLineBytes, readLines, type ToServing, type ToTaker } from './protocol.ts';

/** How soon an answer is looked for again, ms. */
const lookMs = 5;
/** More than any gateway listens on. */
const mostInAll = 16_384;

export interface TakeOverOptions {
  readonly path: string;
  readonly kind: string;
  readonly instance: string;
  readonly clock: Clock;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** The sockets of the gateway that serves, as long as this process needs to open them. */
export interface TakenOver {
  readonly listeners: PassedListeners;
  /**
   * Says that this process serves. `released`: the other accepts nobody any more, and has let go of what there can be one of; `gone`: it ended, or
   * does not answer. MeshError CONFLICT: it did not want to wait any longer, and goes on as it was.
   */
  serving(): Promise<'released' | 'gone'>;
  /** Idempotent. Before `serving` it makes the other go on as if nothing had been. */
  close(): void;
}

/** Undefined: nobody serves there. MeshError CONFLICT: somebody does, and hands nothing over; DEADLINE_EXCEEDED, INTERNAL, UNSUPPORTED. */
export async function takeOver(options: TakeOverOptions): Promise<TakenOver | undefined> {
  const { path, kind, instance } = options;
  const fd = connectUnix(path);
  if (fd === undefined) return undefined;
  const line = new Line(fd, options);
  const listeners = new PassedListeners(true);
  try {
    await line.say({ say: 'take', kind, instance });
    for (let more = true; more; ) {
      const answer = await line.hear();
      if (answer === undefined) throw conflict(path, 'it ended, or hands nothing over to this user');
      if (answer.say !== 'sockets') continue;
      const sockets = line.claim(answer.keys.length);
      if (sockets === undefined) throw conflict(path, 'it passed fewer sockets than it named');
      for (const [at, key] of answer.keys.entries()) listeners.give(key, sockets[at] as number);
      more = answer.more;
    }
  } catch (error) {
    line.close();
    listeners.dropUnclaimed();
    throw error;
  }
  const serving = async () => {
    try {
      await line.say({ say: 'serving' });
      for (;;) {
        const answer = await line.hear();
        if (answer === undefined || answer.say === 'released') {
          listeners.share(false);
          return answer === undefined ? 'gone' : 'released';
        }
      }
    } catch (error) {
      // A break, or silence: what can be taken over was. A refusal is none of these.
      if (toMeshError(error).code === 'CONFLICT' || options.signal.aborted) throw error;
      return 'gone';
    } finally {
      line.close();
    }
  };
  return { listeners, serving, close: () => line.close() };
}

function conflict(path: string, why: string): MeshError {
  return new MeshError('CONFLICT', `the gateway that serves, and hands over at ${path}, did not: ${why}; stop it, or see its log`);
}

/** This process's end. Looked at by turns: node:net reads without what is passed along. */
class Line {
  readonly #options: TakeOverOptions;
  #fd: number | undefined;
  #rest = '';
  #heard: { readonly say?: unknown }[] = [];
  #sockets: number[] = [];

  constructor(fd: number, options: TakeOverOptions) {
    this.#fd = fd;
    this.#options = options;
  }

  async say(message: ToServing): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
    await this.#until(() => (passDescriptors(this.#open(), bytes, []) ? true : undefined));
  }

  /** The next that is known. Undefined: the other has ended. MeshError CONFLICT: it refuses; DEADLINE_EXCEEDED. */
  async hear(): Promise<ToTaker | undefined> {
    for (;;) {
      const message = this.#heard.shift();
      if (message === undefined) {
        if (!(await this.#until(() => this.#read()))) return undefined;
        continue;
      }
      const known = message as ToTaker;
      if (known.say === 'refused') throw conflict(this.#options.path, String(known.reason).slice(0, 500));
      if (known.say === 'released' || isSockets(known)) return known;
    }
  }

  /** The first of those that have come and were not asked for yet. */
  claim(count: number): readonly number[] | undefined {
    return count > this.#sockets.length ? undefined : this.#sockets.splice(0, count);
  }

  close(): void {
    for (const each of this.#sockets.splice(0)) closeDescriptor(each);
    if (this.#fd !== undefined) closeDescriptor(this.#fd);
    this.#fd = undefined;
  }

  #open(): number {
    if (this.#fd === undefined) throw new MeshError('ABORTED', 'the hand-over was given up');
    return this.#fd;
  }

  /** False at the end; undefined: nothing yet. */
  #read(): boolean | undefined {
    const received = receiveDescriptors(this.#open());
    if (received === undefined) return undefined;
    this.#sockets.push(...received.descriptors);
    if (received.bytes.length === 0) return false;
    const read = readLines(this.#rest + received.bytes.toString());
    if (read === undefined || this.#sockets.length > mostInAll) throw conflict(this.#options.path, 'it says what is no message');
    this.#rest = read.rest;
    this.#heard.push(...read.messages);
    return true;
  }

  async #until<T>(attempt: () => T | undefined): Promise<T> {
    const { clock, signal, path } = this.#options;
    const deadline = clock.monotonic() + answerMs;
    for (;;) {
      const found = attempt();
      if (found !== undefined) return found;
      if (clock.monotonic() > deadline) {
        const message = `the gateway that hands over at ${path} did not answer within ${answerMs / 1_000} s: see its log, or stop it`;
        throw new MeshError('DEADLINE_EXCEEDED', message);
      }
      await clock.sleep(lookMs, signal);
    }
  }
}

function isSockets(message: ToTaker): message is Extract<ToTaker, { say: 'sockets' }> {
  if (message.say !== 'sockets') return false;
  const { keys } = message;
  return Array.isArray(keys) && keys.every((key) => typeof key === 'string' && key.length < mostLineBytes);
}
