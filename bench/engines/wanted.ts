import type { Figure } from '../measure.ts';
import type { ContenderName } from './contract.ts';
import type { Seen } from './round.ts';

/** One figure of a case that is reported. */
export interface Wanted {
  readonly seen: Seen;
  /** As tables name it: `CPU`, `p99`. */
  readonly name: string;
  readonly unit: string;
  /** What one unit of it is; figures are divided by it. Default 1. */
  readonly scale?: number;
  readonly better?: 'more' | 'less';
  /** For the native engine: at most so many times each of these. */
  readonly atMost?: Partial<Readonly<Record<ContenderName, number>>>;
  /** For the native engine: no worse than whoever is best. */
  readonly asBest?: true;
  /** For the native engine, whatever others take. */
  readonly atMostItself?: number;
  /** Has a panel of its own in the plot. */
  readonly plotted?: true;
}

/** Of every round. */
export function hasResult({ rounds }: Figure): boolean {
  return rounds.every((value) => !Number.isNaN(value));
}

/** As the unit wants it. */
export function scaled(figure: Figure, { scale = 1 }: Wanted): Figure {
  const rounds = figure.rounds.map((value) => value / scale);
  return { median: figure.median / scale, spread: figure.spread, rounds };
}
