import type { MigrationGate } from '../../../core/config/index.ts';
import { type LatencyHistogram, latencyQuantile } from '../../../core/telemetry/index.ts';
import { percentileInterval, percentileRatio } from '../statistics/index.ts';
import type { GateView, Judgement, Window } from './contract.ts';
import { neededFor } from './needed.ts';
import { ms, number, percent } from './words.ts';
import { worst } from './worse.ts';

type LatencyGate = Extract<MigrationGate, { type: 'latency' }>;
type Part = Pick<Judgement, 'verdict'> & { readonly words: string };

export function latencyLimit({ percentile, maxMs, maxRatio }: LatencyGate): string {
  const parts = [
    ...(maxMs === undefined ? [] : [`≤ ${ms(maxMs)}`]),
    ...(maxRatio === undefined ? [] : [`≤ ${number(maxRatio)} × the old side's`]),
  ];
  return `p${percentile} ${parts.join(', and ')}`;
}

/** As of the error rate: few requests in the last interval are no reason to wait. */
export function judgeLatency(gate: LatencyGate, view: GateView): Judgement {
  const whole = judgeWindow(gate, view, view.step, 'since the step began');
  const last = judgeWindow(gate, view, view.interval, 'in the last interval');
  return last.verdict === 'breach' ? worst(whole, last) : whole;
}

export function latencyNeeded({ percentile, minSamples }: LatencyGate, confidence: number): number {
  return neededFor(1 - percentile / 100, confidence, minSamples);
}

function judgeWindow(gate: LatencyGate, view: GateView, window: Window, when: string): Judgement {
  const { confidence } = view;
  const q = gate.percentile / 100;
  const { latency } = window.to;
  const [samples, needed] = [countOf(latency), latencyNeeded(gate, confidence)];
  const from = gate.maxRatio === undefined ? undefined : reference(window, view, needed);
  const compared = (from === undefined ? undefined : latencyQuantile(from, q)) ?? null;
  const base = { compared, samples, needed, confidence };
  const value = latencyQuantile(latency, q);
  if (value === undefined) return { ...base, verdict: 'no-data', value: null, reason: `no request to the new side ${when}` };
  const seen = `p${gate.percentile} of ${samples} requests ${when} is ${ms(value)}`;
  const parts = [
    ...(gate.maxMs === undefined ? [] : [judgeMost(gate.maxMs, value, latency, q, confidence)]),
    ...(gate.maxRatio === undefined ? [] : [judgeRatio(gate.maxRatio, latency, from, q, confidence)]),
  ];
  const judged = (verdict: Part['verdict']): Judgement | undefined => {
    const part = parts.find((p) => p.verdict === verdict);
    return part === undefined ? undefined : { ...base, value, verdict, reason: `${seen}${part.words}` };
  };
  const short: Judgement | undefined =
    samples < needed ? { ...base, value, verdict: 'wait', reason: `${seen}: ${needed} are needed` } : undefined;
  return judged('breach') ?? judged('no-data') ?? short ?? judged('wait') ?? { ...base, value, verdict: 'pass', reason: seen };
}

function judgeMost(limit: number, value: number, latency: LatencyHistogram, q: number, confidence: number): Part {
  const { low } = percentileInterval(latency, q, confidence);
  if (low > limit)
    return { verdict: 'breach', words: `, more than ${ms(limit)}: at least ${ms(low)} at ${percent(confidence)} confidence` };
  return value > limit ? { verdict: 'wait', words: `, more than ${ms(limit)}, which may be chance` } : { verdict: 'pass', words: '' };
}

function judgeRatio(limit: number, latency: LatencyHistogram, from: LatencyHistogram | undefined, q: number, confidence: number): Part {
  const ratio = from === undefined ? undefined : percentileRatio(latency, from, q, confidence);
  if (ratio === undefined) return { verdict: 'no-data', words: ', and the old side has no requests to compare with' };
  const words = `, ${number(ratio.estimate)} times the old side's`;
  if (ratio.low > limit)
    return {
      verdict: 'breach',
      words: `${words}, more than ${number(limit)}: at least ${number(ratio.low)} at ${percent(confidence)} confidence`,
    };
  return ratio.estimate > limit
    ? { verdict: 'wait', words: `${words}, more than ${number(limit)}, which may be chance` }
    : { verdict: 'pass', words: '' };
}

/** The old side at the same time; where that has too few requests, as it was before. */
function reference(window: Window, { baseline }: GateView, needed: number): LatencyHistogram | undefined {
  if (countOf(window.from.latency) >= needed) return window.from.latency;
  const before = new Map(baseline?.latency ?? []);
  return countOf(before) >= countOf(window.from.latency) ? (before.size === 0 ? undefined : before) : window.from.latency;
}

function countOf(latency: LatencyHistogram): number {
  return [...latency.values()].reduce((sum, n) => sum + n, 0);
}
