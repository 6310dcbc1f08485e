import { closeSync, openSync } from 'node:fs';
import type { Clock } from '../../../core/clock.ts';
import { Deadlines, type Timed } from '../../deadlines.ts';
import type { EngineOptions } from '../contract.ts';

/** The same kind is told of once in so many ms. */
const everyMs = 1_000;
const descriptors: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

/** What the machine has too little of, when a connection could not even be tried; undefined: the other side is why. Pure. */
export function shortageOf({ code }: NodeJS.ErrnoException): string | undefined {
  if (code === 'EADDRNOTAVAIL') return 'ports-exhausted';
  return descriptors.has(code) ? 'descriptors-exhausted' : undefined;
}

/** Why this process can open nothing more; undefined: it can. About 10 µs. */
function descriptorShortage(): string | undefined {
  try {
    closeSync(openSync('/dev/null', 'r'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (descriptors.has(code)) return message;
  }
  return undefined;
}

/** Looks once a second, while it runs, whether a descriptor is left: libuv takes a caller for whom there is none, and closes it, without a word to anybody. */
export class DescriptorWatch {
  readonly #deadlines: Deadlines;
  readonly #look: Timed;

  constructor(onTrouble: NonNullable<EngineOptions['onTrouble']>, clock: Clock) {
    this.#deadlines = new Deadlines(clock, everyMs);
    const expire = () => {
      const short = descriptorShortage();
      if (short !== undefined) onTrouble('descriptors-exhausted', short);
    };
    this.#look = { deadline: 0, expire };
  }

  /** Idempotent. */
  run(on: boolean): void {
    if (on) this.#deadlines.watch(this.#look);
    else this.#deadlines.forget(this.#look);
  }
}

/** Keeps to what EngineOptions promises: of each kind no more than one call a second. */
export function seldom(onTrouble: EngineOptions['onTrouble'], clock: Clock): NonNullable<EngineOptions['onTrouble']> {
  const toldAt = new Map<string, number>();
  return (what, detail) => {
    const now = clock.monotonic();
    if (now < (toldAt.get(what) ?? Number.NEGATIVE_INFINITY) + everyMs) return;
    toldAt.set(what, now);
    onTrouble?.(what, detail);
  };
}
