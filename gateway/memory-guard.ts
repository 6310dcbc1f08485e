import type { Clock } from '../core/clock.ts';
import { collectGarbage } from '../core/collect-garbage.ts';
import type { Log } from '../core/log.ts';
import { type MemoryRoom, memoryRooms } from '../core/memory-room.ts';
import { type Engine, giveBack, heldFree, memoryShort } from './engine/index.ts';

type Guarded = Pick<Engine, 'overload' | 'relieve' | 'counters'>;

const mega = 1 << 20;
/** Between looks, ms: what the callers of so long cost has to fit into what is kept free. */
const everyMs = 100;
/** With so many times that free, four times as long is soon enough. */
const calm = 8;
const calmMs = 4 * everyMs;
/** More than what is kept free has to be free before callers are taken again, or each of them would change it back. */
const enough = 1.25;
/** So few connections are not what the memory went to: their callers are taken all the same, as nothing would come free by refusing them. */
const few = 100;
/** Between clean-ups while memory is short, ms; and at least so many times what the last one took. */
const cleanEveryMs = 250;
const cleanShare = 5;

export interface MemoryGuardOptions {
  readonly clock: Clock;
  /** Of the moment; may throw where they cannot be read. */
  readonly rooms: () => readonly MemoryRoom[];
  /** Gives back what was dropped. */
  readonly clean: () => Promise<void>;
  /** `memory-short`: it has become so. `memory-unknown`: nobody can say. See EngineOptions. */
  readonly onTrouble: (what: string, detail: string) => void;
  /** It suffices again. */
  readonly onOver: () => void;
}

/** Kept free of such a limit, bytes: a tenth, at least 16 MB and at most 64 MB. */
export function keptFree(limitBytes: number): number {
  return Math.min(64 * mega, Math.max(16 * mega, limitBytes / 10));
}

/** The process's own. */
export function guardMemory(clock: Clock, log: Log, onTrouble: MemoryGuardOptions['onTrouble']): MemoryGuard {
  const onOver = () => log.info({}, 'there is memory again: new connections are taken');
  const clean = () => collectGarbage().then(giveBack);
  return new MemoryGuard({ clock, rooms: () => memoryRooms({ heldFree }), clean, onTrouble, onOver });
}

/**
 * One for a process: has its engines refuse callers before the kernel refuses memory, or ends the process. From when less than `keptFree` is left of
 * any limit, until there is a quarter more than that again. Of those that are served, streams whose readers stand still are broken off, when less than
 * half of it is left.
 */
export class MemoryGuard {
  readonly #options: MemoryGuardOptions;
  readonly #engines = new Set<Guarded>();
  #watching: AbortController | undefined;
  #short = false;
  #calm = false;
  /** Why nobody can say how much is left. */
  #unknown = '';
  /** Monotonic ms. */
  #cleanAt = Number.NEGATIVE_INFINITY;

  constructor(options: MemoryGuardOptions) {
    this.#options = options;
  }

  /** Until the returned function is called. Looks at nothing while nobody is guarded. */
  guard(engine: Guarded): () => void {
    this.#engines.add(engine);
    if (this.#watching === undefined) {
      this.#watching = new AbortController();
      void this.#watch(this.#watching.signal);
    }
    return () => {
      this.#engines.delete(engine);
      if (this.#engines.size > 0) return;
      this.#watching?.abort();
      this.#watching = undefined;
    };
  }

  async #watch(ended: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#options.clock.sleep(this.#calm ? calmMs : everyMs, ended);
      } catch {
        return;
      }
      try {
        await this.#look();
        this.#unknown = '';
      } catch (error) {
        // What was found last holds: descriptors and memory end together.
        this.#tellUnknown(error instanceof Error ? error.message : String(error));
      }
    }
  }

  async #look(): Promise<void> {
    const { clock, onTrouble, onOver } = this.#options;
    const scarce = this.#scarcest();
    const detail = scarce === undefined ? undefined : describe(scarce);
    if (detail !== undefined && !this.#short) onTrouble(memoryShort, detail);
    if (detail === undefined && this.#short) onOver();
    if (detail !== undefined || this.#short) this.#tell(detail);
    this.#short = scarce !== undefined;
    if (scarce === undefined || clock.monotonic() < this.#cleanAt) return;
    this.#relieve(scarce);
    const begun = clock.monotonic();
    await this.#options.clean();
    const now = clock.monotonic();
    // What was cut is seen to be free by then, so nobody is cut for what another one has given already.
    this.#cleanAt = now + Math.max(cleanEveryMs, cleanShare * (now - begun));
  }

  #tell(detail: string | undefined): void {
    let open = 0;
    for (const engine of this.#engines) open += engine.counters().open;
    for (const engine of this.#engines) engine.overload(open < few ? undefined : detail);
  }

  #relieve({ limitBytes, freeBytes }: MemoryRoom): void {
    const kept = keptFree(limitBytes);
    if (freeBytes < kept / 2) for (const engine of this.#engines) engine.relieve(Math.ceil((kept - freeBytes) / this.#engines.size));
  }

  /** Of the limits of which too little is left, the one of which the smallest part of what is kept free is. */
  #scarcest(): MemoryRoom | undefined {
    const part = ({ limitBytes, freeBytes }: MemoryRoom) => freeBytes / keptFree(limitBytes);
    const [least] = [...this.#options.rooms()].sort((a, b) => part(a) - part(b));
    this.#calm = least === undefined || part(least) > calm;
    return least !== undefined && part(least) < (this.#short ? enough : 1) ? least : undefined;
  }

  #tellUnknown(why: string): void {
    if (this.#unknown !== why) this.#options.onTrouble('memory-unknown', why);
    this.#unknown = why;
  }
}

function describe({ of, limitBytes, freeBytes }: MemoryRoom): string {
  const megabytes = (bytes: number) => `${Math.floor(bytes / mega)} MB`;
  return `${megabytes(freeBytes)} are left of the ${megabytes(limitBytes)} of the ${of}, and ${megabytes(keptFree(limitBytes))} are kept free`;
}
