import type { MigrationGate, MigrationSide, MigrationSpec, MigrationStep } from '../../../core/config/index.ts';
import type { PreflightFacts, PreflightRequest, SeenTraffic } from './contract.ts';
import { rateFor, samplesNeeded, timeFor } from './samples.ts';
import { isByteStream, type Scene } from './scene.ts';
import { aboutText, durationText, percentText, rateText } from './words.ts';

export interface Proposal {
  readonly spec: MigrationSpec;
  /** How its figures came about, in sentences. */
  readonly because: readonly string[];
}

const second = 1_000;
const minute = 60 * second;
const confidence = 0.95;
const longestLimit = 10 * minute;
const usualWeights = [1, 5, 25, 50, 100];
/** Bake times, and how long a first step may take before it is left out. */
const [shortestBake, longestBake, patience] = [2 * minute, 6 * 60 * minute, 60 * minute];

/** Everything that no traffic is needed for, and no gates. What is asked about a side before there is a proposal. */
export function bareSpec({ service, from, to }: Pick<PreflightRequest, 'service' | 'from' | 'to'>): MigrationSpec {
  return {
    service,
    from,
    to,
    steps: usualWeights.map((weight) => ({ weight, bakeMs: 5 * minute, approval: false })),
    intervalMs: 15 * second,
    baselineMs: minute,
    confidence,
    gates: [],
    onNoData: { action: 'rollback', afterMs: 10 * minute },
    onPartition: { action: 'hold', afterMs: minute },
    drain: { timeoutMs: 10 * minute, bakeMs: 10 * minute },
    dependsOn: [],
    webhooks: [],
  };
}

/** A Migration whose gates hold what was seen, and whose steps last as long as its gates need to say something. */
export function propose(scene: Scene): Proposal {
  const bare = bareSpec({ ...scene.spec, from: sideOf(scene.spec.from, scene.facts), to: sideOf(scene.spec.to, scene.facts) });
  const { seen } = scene.facts;
  const gates = gatesFor(scene);
  const spec = { ...bare, gates };
  if (seen === undefined) {
    const why = 'no traffic was seen, so that bake times and limits are the usual ones: plan again under load';
    return { spec, because: [why] };
  }
  const { steps, because } = stepsFor(gates, seen);
  const baselineMs = nice(Math.max(minute, Math.min(10 * minute, longestAt(gates, seen, 100).ms)));
  const late = steps.some(({ weight, bakeMs }) => longestAt(gates, seen, weight).ms > bakeMs + bare.onNoData.afterMs);
  const patient = late ? { onNoData: { ...bare.onNoData, action: 'hold' as const } } : {};
  const why = late ? ['there is so little traffic that a step holds until its samples have come'] : [];
  return { spec: { ...spec, steps, baselineMs, ...patient }, because: [...because, ...why, ...limitsText(gates, seen)] };
}

/** Said only where it is another: the object is then the same wherever it is applied in this cluster. */
function sideOf({ cluster, registry }: MigrationSide, { view }: PreflightFacts): MigrationSide {
  return { cluster: cluster === view.cluster ? '' : cluster, registry };
}

function gatesFor(scene: Scene): readonly MigrationGate[] {
  const { seen } = scene.facts;
  const all = seen === undefined ? 0 : seen.requests + seen.connections;
  const failing = seen === undefined ? 0 : seen.errors / all;
  const max = Math.min(1, Math.max(0.01, roundUp(failing * 1.5, 0.005)));
  const errors: MigrationGate = { name: 'errors', type: 'error-rate', max, maxIncrease: 0.01 };
  const traffic: MigrationGate[] = seen === undefined ? [] : [{ name: 'traffic', type: 'request-rate', min: tenth(all / seen.seconds) }];
  if (isByteStream(scene) || seen?.requests === 0) return [errors, ...traffic];
  const slowest = seen?.p99 ?? null;
  // Beyond what a limit may be, only the other side is one.
  const limit = slowest === null || slowest * 2 > longestLimit ? {} : { maxMs: niceLimit(slowest * 2) };
  const tail: MigrationGate = { name: 'latency-p99', type: 'latency', percentile: 99, ...limit, maxRatio: 1.5 };
  return [errors, tail, { name: 'saturation', type: 'saturation', max: 1.2 }, ...traffic];
}

/** A tenth of what is usual: below it nothing can be said of anybody. Two digits that count. */
function tenth(rate: number): number {
  const value = Number((rate / 10).toPrecision(2));
  return value * 10 <= rate ? value : Number((rate / 11).toPrecision(2));
}

/** At least 50 ms, so that a service that answers within one is not judged by the noise of a network. */
function niceLimit(ms: number): number {
  const grain = ms >= 1_000 ? 100 : 10;
  return Math.min(longestLimit, Math.max(50, Math.ceil(ms / grain) * grain));
}

function roundUp(value: number, grain: number): number {
  return Number((Math.ceil(value / grain - 1e-9) * grain).toFixed(4));
}

interface Longest {
  readonly ms: number;
  readonly gate?: MigrationGate;
  readonly needed: number;
}

/** The gate whose samples take the longest. */
function longestAt(gates: readonly MigrationGate[], seen: SeenTraffic, weight: number): Longest {
  return gates.reduce<Longest>(
    (most, gate) => {
      const needed = samplesNeeded(gate, confidence);
      const ms = needed === 0 ? 0 : timeFor(needed, rateFor(gate, seen), weight);
      return ms > most.ms ? { ms, gate, needed } : most;
    },
    { ms: 0, needed: 0 },
  );
}

/** Small first steps that would take too long for their samples are left out: a larger share of little traffic harms as few. */
function stepsFor(
  gates: readonly MigrationGate[],
  seen: SeenTraffic,
): { readonly steps: readonly MigrationStep[]; readonly because: readonly string[] } {
  const kept = usualWeights.filter((weight) => weight === 100 || longestAt(gates, seen, weight).ms * 1.5 <= patience);
  const steps = kept.map((weight) => {
    const bakeMs = Math.min(longestBake, Math.max(shortestBake, nice(longestAt(gates, seen, weight).ms * 1.5)));
    return { weight, bakeMs, approval: false };
  });
  const [first] = steps;
  const because: string[] = [];
  const most = first === undefined ? undefined : longestAt(gates, seen, first.weight);
  if (first !== undefined && most?.gate !== undefined) {
    const rate = rateText(rateFor(most.gate, seen));
    because.push(
      `gate ${most.gate.name} needs ${most.needed} samples: ${aboutText(most.ms)} at ${first.weight} % of the ${rate} seen; steps bake half as long again, ${durationText(shortestBake)} at least`,
    );
  }
  const left = usualWeights.filter((weight) => !kept.includes(weight));
  if (left.length > 0) because.push(`${left.join(' and ')} % are left out: their samples would take longer than ${durationText(patience)}`);
  return { steps, because };
}

function limitsText(gates: readonly MigrationGate[], seen: SeenTraffic): readonly string[] {
  const all = seen.requests + seen.connections;
  return gates.flatMap((gate) => {
    if (gate.type === 'error-rate') return [`errors: ${percentText(seen.errors / all)} failed, ${percentText(gate.max)} is the limit`];
    if (gate.type !== 'latency' || gate.maxMs === undefined || seen.p99 === null) return [];
    return [`latency: p99 was ${durationText(seen.p99)}, ${durationText(gate.maxMs)} is the limit`];
  });
}

/** Rounded up to what people would write. */
function nice(ms: number): number {
  const grain = ms <= 5 * minute ? 30 * second : ms <= 60 * minute ? minute : 10 * minute;
  return Math.ceil(ms / grain) * grain;
}
