import type { Judgement, Verdict } from './contract.ts';

const order: readonly Verdict[] = ['pass', 'wait', 'no-data', 'breach'];

/** The first of those that are worst. */
export function worst(first: Judgement, ...others: readonly Judgement[]): Judgement {
  return others.reduce((a, b) => (order.indexOf(b.verdict) > order.indexOf(a.verdict) ? b : a), first);
}
