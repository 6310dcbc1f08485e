import type { MigrationGate } from '../../../core/config/index.ts';
import { failuresOf, trialsOf } from '../figures.ts';
import { differenceInterval, exactInterval, type Share } from '../statistics/index.ts';
import type { GateView, Judgement, Window } from './contract.ts';
import { fewestToCompare, neededFor } from './needed.ts';
import { number, percent } from './words.ts';
import { worst } from './worse.ts';

type ErrorRateGate = Extract<MigrationGate, { type: 'error-rate' }>;

export function errorRateLimit({ max, maxIncrease }: ErrorRateGate): string {
  return `≤ ${percent(max)}${maxIncrease === undefined ? '' : `, and ≤ ${number(maxIncrease * 100)} points above the old side`}`;
}

/** Over the step; over the last interval only what is proven counts, as few requests are no reason to wait there. */
export function judgeErrorRate(gate: ErrorRateGate, view: GateView): Judgement {
  const whole = judgeWindow(gate, view, view.step, 'since the step began');
  const last = judgeWindow(gate, view, view.interval, 'in the last interval');
  return last.verdict === 'breach' ? worst(whole, last) : whole;
}

function judgeWindow(gate: ErrorRateGate, view: GateView, window: Window, when: string): Judgement {
  const { confidence } = view;
  const [to, from] = [shareOf(window.to), reference(window, view)];
  const needed = neededFor(gate.max, confidence, gate.minSamples);
  const compared = gate.maxIncrease === undefined || from === undefined ? null : from.hits / from.total;
  const base = { compared, samples: to.total, needed, confidence };
  if (to.total === 0) return { ...base, verdict: 'no-data', value: null, reason: `no request or connection to the new side ${when}` };
  const value = to.hits / to.total;
  const seen = `${percent(value)} of ${to.total} requests and connections ${when} failed`;
  const { low } = exactInterval(to, confidence);
  if (low > gate.max)
    return {
      ...base,
      verdict: 'breach',
      value,
      reason: `${seen}, more than ${percent(gate.max)}: at least ${percent(low)} at ${percent(confidence)} confidence`,
    };
  const more = gate.maxIncrease === undefined ? undefined : judgeIncrease(gate.maxIncrease, to, from, confidence);
  if (more?.verdict === 'breach' || more?.verdict === 'no-data')
    return { ...base, value, verdict: more.verdict, reason: `${seen}${more.words}` };
  if (to.total < needed) return { ...base, verdict: 'wait', value, reason: `${seen}: ${needed} are needed` };
  if (value > gate.max) return { ...base, verdict: 'wait', value, reason: `${seen}, more than ${percent(gate.max)}, which may be chance` };
  if (more?.verdict === 'wait') return { ...base, verdict: 'wait', value, reason: `${seen}${more.words}` };
  return { ...base, verdict: 'pass', value, reason: seen };
}

function judgeIncrease(
  limit: number,
  to: Share,
  from: Share | undefined,
  confidence: number,
): Pick<Judgement, 'verdict'> & { words: string } {
  if (from === undefined) return { verdict: 'no-data', words: ', and the old side has too few to compare with' };
  const increase = to.hits / to.total - from.hits / from.total;
  const words = `, ${number(increase * 100)} points more than the old side's ${percent(from.hits / from.total)} of ${from.total}`;
  const { low } = differenceInterval(to, from, confidence, exactInterval);
  if (low > limit) return { verdict: 'breach', words: `${words}: at least ${number(low * 100)} at ${percent(confidence)} confidence` };
  return increase > limit ? { verdict: 'wait', words: `${words}, which may be chance` } : { verdict: 'pass', words: '' };
}

function shareOf(counts: Window['to']): Share {
  // A report may say of a request in one interval and of its failure in the next.
  return { hits: Math.min(failuresOf(counts), trialsOf(counts)), total: trialsOf(counts) };
}

/** The old side at the same time; once it has too little traffic, as it was before. */
function reference(window: Window, { baseline }: GateView): Share | undefined {
  const now = shareOf(window.from);
  if (now.total >= fewestToCompare) return now;
  const total = (baseline?.requests ?? 0) + (baseline?.connections ?? 0);
  return total < fewestToCompare ? undefined : { hits: Math.min(baseline?.errors ?? 0, total), total };
}
