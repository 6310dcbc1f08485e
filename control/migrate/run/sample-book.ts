import type { MigrationSample } from '../../../core/admin/index.ts';
import type { CallerCounts, MigrationState, SideCounts } from '../contract.ts';
import { countsBetween, figuresOf, trialsOf } from '../figures.ts';
import type { SampleRecord } from './contract.ts';

const mostSamples = 1_000;
const mostCallers = 1_000;

interface Sums {
  readonly at: number;
  readonly from: SideCounts;
  readonly to: SideCounts;
}

/** What is kept of one run for its report: a sample a look, thinned evenly when there are too many. */
export class SampleBook {
  readonly run: number;
  #stride: number;
  #samples: MigrationSample[];
  #looks = 0;
  #last: Sums | undefined;
  /** Of leaders before, and of this one. */
  readonly #callersBefore: readonly CallerCounts[];
  #callers: readonly CallerCounts[] = [];

  constructor(run: number, before: SampleRecord | undefined) {
    this.run = run;
    this.#stride = before?.stride ?? 1;
    this.#samples = [...(before?.samples ?? [])];
    this.#callersBefore = before?.callers ?? [];
  }

  /** Sums as they are now (`at` in monotonic ms); what came since the last kept look is one sample. */
  add(state: MigrationState, now: number, sums: Sums, callers: readonly CallerCounts[]): MigrationSample | undefined {
    this.#callers = callers;
    const last = this.#last;
    this.#looks += 1;
    if (last !== undefined && this.#looks % this.#stride !== 0) return undefined;
    this.#last = sums;
    const elapsedMs = last === undefined ? 0 : sums.at - last.at;
    if (last === undefined || elapsedMs <= 0) return undefined;
    const [from, to] = [countsBetween(last.from, sums.from), countsBetween(last.to, sums.to)];
    const all = trialsOf(from) + trialsOf(to);
    const sample = {
      at: new Date(now).toISOString(),
      weight: state.weight,
      measured: all === 0 ? null : (100 * trialsOf(to)) / all,
      from: figuresOf(from, elapsedMs),
      to: figuresOf(to, elapsedMs),
    };
    this.#samples.push(sample);
    if (this.#samples.length > mostSamples) this.#thin();
    return sample;
  }

  record(): SampleRecord {
    return { run: this.run, stride: this.#stride, samples: this.#samples, callers: addCallers(this.#callersBefore, this.#callers) };
  }

  #thin(): void {
    this.#samples = this.#samples.filter((_, i) => i % 2 === 1);
    this.#stride *= 2;
  }
}

/** The busiest first. */
function addCallers(a: readonly CallerCounts[], b: readonly CallerCounts[]): readonly CallerCounts[] {
  const sums = new Map<string, CallerCounts>();
  for (const each of [...a, ...b]) {
    const key = `${each.cluster} ${each.source}`;
    const sum = sums.get(key);
    sums.set(key, sum === undefined ? each : { ...sum, from: sum.from + each.from, to: sum.to + each.to });
  }
  return [...sums.values()].sort((x, y) => y.from + y.to - x.from - x.to).slice(0, mostCallers);
}
