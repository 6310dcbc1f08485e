import type { MigrationGate, MigrationSpec } from '../../../core/config/index.ts';
import type { PreflightCheck, SeenTraffic } from './contract.ts';
import { rateFor, samplesNeeded, shortestRun, timeFor } from './samples.ts';
import { isByteStream, isHttp, type Scene } from './scene.ts';
import { fail, type Problem, verdict, warn } from './verdict.ts';
import { aboutText, durationText, rateText } from './words.ts';

/** A proxy reports about as often, ms. */
const reportMs = 5_000;

/** Weights that lead to the end, and time enough at each for its gates. */
export function checkPace(scene: Scene): readonly PreflightCheck[] {
  const { spec, facts } = scene;
  const weights = spec.steps.map((s) => s.weight);
  const steps = weightProblems(weights);
  const samples = facts.seen === undefined || steps.some((p) => p.ok === 'fail') ? [] : sampleProblems(spec, facts.seen);
  const problems = [...steps, ...timeProblems(spec), ...samples, ...mirrorProblems(scene)];
  const passed = `${weights.join(', ')} % in ${aboutText(shortestRun(spec))} at least; ${enough(spec, facts.seen)}`;
  return verdict('pace', passed, problems);
}

function enough(spec: MigrationSpec, seen: SeenTraffic | undefined): string {
  if (seen === undefined) return 'how long its gates need is not known, as no traffic was seen';
  const [first] = spec.steps;
  const most = mostDemanding(spec, seen, first?.weight ?? 100);
  if (first === undefined || most === undefined) return 'no gate counts samples';
  return `${arithmetic(most.gate, most.needed, rateFor(most.gate, seen), first.weight)}, and ${durationText(first.bakeMs)} are given`;
}

/** `299 samples at 1 % of 50/s take 9m58s`. */
function arithmetic({ name }: MigrationGate, needed: number, perSecond: number, weight: number): string {
  const time = aboutText(timeFor(needed, perSecond, weight));
  return `gate ${name} needs ${needed} samples, which at ${weight} % of ${rateText(perSecond)} take ${time}`;
}

function mostDemanding(spec: MigrationSpec, seen: SeenTraffic, weight: number) {
  const all = spec.gates.map((gate) => {
    const needed = samplesNeeded(gate, spec.confidence);
    return { gate, needed, ms: needed === 0 ? 0 : timeFor(needed, rateFor(gate, seen), weight) };
  });
  return all.filter((each) => each.needed > 0).sort((a, b) => b.ms - a.ms)[0];
}

function weightProblems(weights: readonly number[]): Problem[] {
  const problems = weights.flatMap((weight, i) => {
    const path = `spec.steps[${i}].weight`;
    const found: Problem[] = [];
    if (!(weight > 0 && weight <= 100) || Math.abs(weight * 10 - Math.round(weight * 10)) > 1e-9) {
      found.push(fail(path, `${weight} is no weight`, 'use a multiple of 0.1 above 0, and at most 100'));
    }
    const before = weights[i - 1];
    if (before !== undefined && weight <= before)
      found.push(fail(path, `${weight} % is not above ${before} % of the step before`, 'let weights rise'));
    return found;
  });
  if (weights.length === 0) return [fail('spec.steps', 'there are no steps', 'use 1, 5, 25, 50, 100')];
  const last = weights.at(-1);
  if (last !== 100) problems.push(fail('spec.steps', `the last step is ${last} %: the rest would stay for ever`, 'add a step of 100'));
  return problems;
}

function timeProblems(spec: MigrationSpec): Problem[] {
  const { intervalMs, steps, gates, onNoData, onPartition, confidence, baselineMs } = spec;
  const problems: Problem[] = [];
  if (intervalMs < 1_000)
    problems.push(fail('spec.interval', `${durationText(intervalMs)} is less than 1s`, 'use 1s or more; 15s is usual'));
  if (!(confidence > 0.5 && confidence < 1)) problems.push(fail('spec.confidence', `${confidence} is no confidence`, 'use 0.95'));
  for (const [i, { weight, bakeMs }] of steps.entries()) {
    if (bakeMs >= intervalMs) continue;
    const message = `the step to ${weight} % bakes ${durationText(bakeMs)}, less than one interval of ${durationText(intervalMs)}: nothing would be looked at before the next`;
    problems.push(fail(`spec.steps[${i}].bake`, message, `bake ${durationText(intervalMs * 4)} at least, or look more often`));
  }
  for (const [i, gate] of gates.entries()) {
    if ((gate.type !== 'prometheus' && gate.type !== 'http') || gate.timeoutMs <= intervalMs) continue;
    const message = `gate ${gate.name} may take ${durationText(gate.timeoutMs)} to answer, longer than the interval of ${durationText(intervalMs)}`;
    problems.push(fail(`spec.gates[${i}].timeout`, message, `set timeout to ${durationText(intervalMs)} or less`));
  }
  if (onNoData.afterMs < intervalMs) {
    const message = `${onNoData.action} after ${durationText(onNoData.afterMs)} without data comes with the first look that finds none`;
    problems.push(warn('spec.onNoData.after', message, `wait for ${durationText(intervalMs * 4)} or more`));
  }
  if (onPartition.afterMs < 3 * reportMs) {
    const message = `proxies report every ${durationText(reportMs)}: ${onPartition.action} after ${durationText(onPartition.afterMs)} of silence comes with one report that is late`;
    problems.push(warn('spec.onPartition.after', message, `wait for ${durationText(3 * reportMs)} or more`));
  }
  if (baselineMs < intervalMs) {
    const message = `a baseline of ${durationText(baselineMs)} is less than one interval: there would be nothing to hold the new side against`;
    problems.push(warn('spec.baseline', message, `measure ${durationText(intervalMs * 4)} or more`));
  }
  return problems;
}

/** A gate that cannot get its samples within the step and the patience after it. */
function sampleProblems(spec: MigrationSpec, seen: SeenTraffic): Problem[] {
  return spec.steps.flatMap((step, i) => {
    const most = mostDemanding(spec, seen, step.weight);
    // What never comes does not come with a larger weight either: it is said once.
    if (most === undefined || most.ms <= step.bakeMs || (i > 0 && !Number.isFinite(most.ms))) return [];
    const { gate, needed, ms } = most;
    const path = `spec.steps[${i}].bake`;
    const patience = step.bakeMs + spec.onNoData.afterMs;
    const text = `${arithmetic(gate, needed, rateFor(gate, seen), step.weight)}, and the step bakes ${durationText(step.bakeMs)}`;
    if (ms <= patience)
      return [warn(path, `${text}: it will wait for the rest`, `bake ${aboutText(ms)}, so that the plan says how long it takes`)];
    const gives = `${text}, with ${durationText(spec.onNoData.afterMs)} of patience for missing data: it would ${spec.onNoData.action === 'hold' ? 'hold there' : 'roll back'}`;
    const fix = Number.isFinite(ms)
      ? `bake ${aboutText(Math.ceil(ms * 1.2))}, begin with a larger weight, or ask for fewer samples (a larger max, or minSamples)`
      : 'begin when there is traffic of that kind, or use another gate';
    return [spec.onNoData.action === 'hold' && Number.isFinite(ms) ? warn(path, gives, fix) : fail(path, gives, fix)];
  });
}

function mirrorProblems(scene: Scene): Problem[] {
  const { spec, service, key } = scene;
  if (spec.mirror === undefined) return [];
  if (isByteStream(scene)) {
    return [fail('spec.mirror', `${key} has connections only: what cannot be told apart as requests cannot be copied`, 'leave mirror out')];
  }
  const plain = service?.ports.filter((p) => !isHttp(p.protocol)).map((p) => p.port) ?? [];
  const also = plain.length === 0 ? '' : `; port ${plain.join(', ')} has connections only, which are not copied`;
  const message = `copies of ${spec.mirror.percent} % of requests are carried out by the new side as well: what they write is written twice${also}`;
  return [warn('spec.mirror', message, 'mirror only what may be done twice, or let the new side write elsewhere meanwhile')];
}
