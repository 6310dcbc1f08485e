/** What one round of one contender saw, by name. */
export type Round<K extends string> = () => Promise<Readonly<Record<K, number>>>;

/** One figure over all rounds. */
export interface Figure {
  readonly median: number;
  /** (max - min) / median: how far to believe it. */
  readonly spread: number;
  /** In the order of the rounds. */
  readonly rounds: readonly number[];
}

type FiguresOf<R> = R extends () => Promise<infer Seen> ? { readonly [K in keyof Seen]: Figure } : undefined;

/** What the whole process used, all threads and the garbage collector included. µs. */
export interface Cost {
  readonly cpuUs: number;
  readonly wallUs: number;
}

const fewestRounds = 5;

/**
 * Runs the contenders in turn, `rounds` times each, after one round each that is not counted: what the machine does besides then disturbs all of
 * them alike. RangeError under `fewestRounds`.
 */
export async function alternate<T extends { readonly [name: string]: Round<string> | undefined }>(
  contenders: T,
  rounds: number,
): Promise<{ readonly [N in keyof T]: FiguresOf<T[N]> }> {
  if (rounds < fewestRounds) throw new RangeError(`a median needs ${fewestRounds} rounds, not ${rounds}`);
  const running = Object.entries(contenders).flatMap(([name, round]) => (round === undefined ? [] : [{ name, round, seen: emptySeen() }]));
  for (const { round } of running) await round();
  for (let i = 0; i < rounds; i++) {
    for (const { round, seen } of running) for (const [key, value] of Object.entries<number>(await round())) seen.add(key, value);
  }
  return Object.fromEntries(running.map(({ name, seen }) => [name, seen.figures()])) as never;
}

export function figureOf(rounds: readonly number[]): Figure {
  const sorted = [...rounds].sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  const [least = Number.NaN] = sorted;
  return { median, spread: ((sorted.at(-1) ?? Number.NaN) - least) / median, rounds };
}

/** By rank, between neighbours linearly. `sorted` ascending; NaN when it is empty. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const [low, high] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN];
  return low + (high - low) * (at - Math.floor(at));
}

export async function costOf(work: () => Promise<void> | void): Promise<Cost> {
  const cpu = process.cpuUsage();
  const begun = process.hrtime.bigint();
  await work();
  const wallUs = Number(process.hrtime.bigint() - begun) / 1e3;
  const { user, system } = process.cpuUsage(cpu);
  return { cpuUs: user + system, wallUs };
}

/** Repeats `work`, which says how many operations it did, for `budgetMs`. Operations per second of this process's CPU. */
export async function perCpuSecond(budgetMs: number, work: () => Promise<number> | number): Promise<number> {
  let operations = 0;
  const { cpuUs } = await costOf(async () => {
    const end = performance.now() + budgetMs;
    while (performance.now() < end) {
      const done = work();
      operations += typeof done === 'number' ? done : await done;
    }
  });
  return (operations / cpuUs) * 1e6;
}

function emptySeen() {
  const values = new Map<string, number[]>();
  return {
    add: (key: string, value: number) => values.set(key, [...(values.get(key) ?? []), value]),
    figures: () => Object.fromEntries([...values].map(([key, list]) => [key, figureOf(list)])),
  };
}
