import type { MigrationGate, MigrationSpec } from '../../../core/config/index.ts';
import { latencyNeeded, neededFor } from '../gates/index.ts';
import type { SeenTraffic } from './contract.ts';

/** What a gate of its own counting needs before it says anything; 0: it counts none. */
export function samplesNeeded(gate: MigrationGate, confidence: number): number {
  if (gate.type === 'error-rate') return neededFor(gate.max, confidence, gate.minSamples);
  return gate.type === 'latency' ? latencyNeeded(gate, confidence) : 0;
}

/** A second, of what the gate counts. */
export function rateFor(gate: Pick<MigrationGate, 'type'>, seen: SeenTraffic): number {
  return (gate.type === 'latency' ? seen.requests : seen.requests + seen.connections) / seen.seconds;
}

/** ms until `samples` have come, at `percent` of a rate a second. */
export function timeFor(samples: number, perSecond: number, percent: number): number {
  const share = (perSecond * percent) / 100;
  return share > 0 ? (samples / share) * 1_000 : Number.POSITIVE_INFINITY;
}

/** From the start to the end of the last step, where nothing waits. */
export function shortestRun({ baselineMs, mirror, steps }: Pick<MigrationSpec, 'baselineMs' | 'mirror' | 'steps'>): number {
  return baselineMs + (mirror?.bakeMs ?? 0) + steps.reduce((sum, step) => sum + step.bakeMs, 0);
}
