import type { Io } from '../io.ts';

/** Prints each step with its result, and remembers whether all held. */
export class Script {
  readonly #io: Io;
  readonly #started: number;
  #failed = 0;
  #steps = 0;

  constructor(io: Io) {
    this.#io = io;
    this.#started = performance.now();
  }

  get failed(): number {
    return this.#failed;
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  say(line = ''): void {
    this.#io.out(`${line}\n`);
  }

  /** Runs one step; a step that throws is told and ends the demonstration, as the next ones build on it. */
  async step<T>(what: string, run: () => Promise<T>, shown: (value: T) => readonly string[] = () => []): Promise<T> {
    this.#steps += 1;
    const began = performance.now();
    try {
      const value = await run();
      this.say(`[${String(this.#steps).padStart(2)}] ok    ${what}  (${((performance.now() - began) / 1000).toFixed(1)} s)`);
      for (const line of shown(value)) this.say(`           ${line}`);
      return value;
    } catch (error) {
      this.#failed += 1;
      this.say(`[${String(this.#steps).padStart(2)}] FAILED ${what}: ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    }
  }

  /** One thing that must hold. */
  check(holds: boolean, what: string): void {
    if (!holds) throw new Error(what);
  }
}
