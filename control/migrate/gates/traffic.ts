import type { MigrationGate } from '../../../core/config/index.ts';
import { inFlightOf, trialsOf } from '../figures.ts';
import { deviationsFor } from '../statistics/index.ts';
import type { GateView, Judgement, Window } from './contract.ts';
import { fewestToCompare } from './needed.ts';
import { number, percent } from './words.ts';
import { worst } from './worse.ts';

type RequestRateGate = Extract<MigrationGate, { type: 'request-rate' }>;
type SaturationGate = Extract<MigrationGate, { type: 'saturation' }>;

export function requestRateLimit({ min }: RequestRateGate): string {
  return `≥ ${number(min)} /s`;
}

/** Less is no breach: there is too little traffic to judge the rest by. */
export function judgeRequestRate({ min }: RequestRateGate, { step, interval, confidence }: GateView): Judgement {
  const judge = (window: Window, when: string, slack: number): Judgement => {
    const samples = trialsOf(window.from) + trialsOf(window.to);
    const seconds = window.elapsedMs / 1_000;
    const base = { compared: null, samples, needed: Math.ceil(min * seconds), confidence: null };
    if (seconds <= 0) return { ...base, verdict: 'no-data', value: null, reason: 'nothing was measured yet' };
    const value = samples / seconds;
    const reason = `${number(value)} requests and connections a second to both sides ${when}`;
    const most = (samples + slack * Math.sqrt(samples + 1) + slack) / seconds;
    return most < min
      ? { ...base, verdict: 'no-data', value, reason: `${reason}, less than ${number(min)}` }
      : { ...base, verdict: 'pass', value, reason };
  };
  // A short interval may have few of what comes evenly on the whole.
  return worst(judge(step, 'since the step began', 0), judge(interval, 'in the last interval', deviationsFor(confidence)));
}

export function saturationLimit({ max }: SaturationGate): string {
  return `≤ ${percent(max)} of what an endpoint of the old side carried`;
}

export function judgeSaturation(gate: SaturationGate, view: GateView): Judgement {
  const whole = saturationIn(gate, view, view.step, 'since the step began');
  const last = saturationIn(gate, view, view.interval, 'in the last interval');
  return last.verdict === 'breach' ? worst(whole, last) : whole;
}

function saturationIn({ max }: SaturationGate, { baseline, places, confidence }: GateView, window: Window, when: string): Judgement {
  const samples = window.to.requests;
  const capacity = baseline?.capacityPerEndpoint ?? 0;
  const base = { compared: capacity > 0 ? capacity : null, samples, needed: fewestToCompare, confidence };
  const inFlight = inFlightOf(window.to, window.elapsedMs);
  if (inFlight === null) return { ...base, verdict: 'no-data', value: null, reason: `no request to the new side ${when}` };
  if (capacity <= 0) return { ...base, verdict: 'no-data', value: null, reason: 'what an endpoint of the old side carries was not seen' };
  const { healthy } = places.to;
  if (healthy === 0) return { ...base, verdict: 'no-data', value: null, reason: 'the new side has no healthy endpoint' };
  const value = inFlight / healthy / capacity;
  const seen = `${number(inFlight)} requests at once ${when} on ${healthy} healthy endpoints, ${percent(value)} of the ${number(capacity)} that one of the old side carried`;
  // Times of requests are spread like an exponential distribution, or less: so is the doubt about their sum.
  const low = value * Math.max(0, 1 - deviationsFor(confidence) * Math.sqrt(2 / samples));
  if (low > max) return { ...base, verdict: 'breach', value, reason: `${seen}, more than ${percent(max)}` };
  if (samples < fewestToCompare) return { ...base, verdict: 'wait', value, reason: `${seen}: ${fewestToCompare} requests are needed` };
  if (value > max) return { ...base, verdict: 'wait', value, reason: `${seen}, more than ${percent(max)}, which may be chance` };
  return { ...base, verdict: 'pass', value, reason: seen };
}
