import type { ChartPanel } from './plot.ts';
import type { CaseReport } from './report.ts';

/** How long the measuring may take, and where remarks go. */
export interface BenchRun {
  /** Rougher, and less of what is counted. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Of one contender in one round, ms. */
  readonly roundMs: number;
  /** For what a figure alone does not say: a peer that is missing, a reason. */
  note(text: string): void;
  /** For the plot, if one is asked for. */
  chart(panel: ChartPanel): void;
}

/** Measures one part. Leaves nothing behind, neither processes nor files, also when it rejects. */
export interface BenchCase {
  /** As `--only` takes it. */
  readonly name: string;
  /** In a line, for `--help`. */
  readonly about: string;
  run(bench: BenchRun): Promise<readonly CaseReport[]>;
}
