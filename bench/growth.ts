import type { BenchRun } from './bench-case.ts';
import { alternate, figureOf } from './measure.ts';
import { type CaseReport, caseReport } from './report.ts';

export const least = 1_000;
export const most = 10_000;
const sameCost = 1.2;

/** The cost of the same operation in a small and in a large mesh, in turn, and how much it grows. Rounds give CPU µs per operation. */
export async function reportGrowth(
  bench: BenchRun,
  name: string,
  small: () => Promise<number>,
  large: () => Promise<number>,
): Promise<readonly CaseReport[]> {
  const figures = await alternate(
    { small: async () => ({ cpu: await small() }), large: async () => ({ cpu: await large() }) },
    bench.rounds,
  );
  const growth = figureOf(figures.large.cpu.rounds.map((value, i) => value / (figures.small.cpu.rounds[i] ?? Number.NaN)));
  const one = (endpoints: number, ours: typeof growth) =>
    caseReport({ name: `${name}, ${endpoints.toLocaleString('en')} endpoints`, unit: 'CPU µs', better: 'less', ours });
  return [
    one(least, figures.small.cpu),
    one(most, figures.large.cpu),
    caseReport({
      name: `${name}, growth`,
      unit: 'x',
      better: 'less',
      ours: growth,
      goal: { text: `< ${sameCost} x`, met: (ours) => ours < sameCost },
    }),
  ];
}
