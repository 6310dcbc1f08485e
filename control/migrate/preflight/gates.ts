import type { MigrationGate } from '../../../core/config/index.ts';
import type { PreflightCheck, SeenTraffic } from './contract.ts';
import { questionProblems } from './questions.ts';
import { isByteStream, type Scene } from './scene.ts';
import { fail, type Problem, verdict } from './verdict.ts';
import { durationText, percentText, rateText } from './words.ts';

/** Gates that can judge this service, with limits that what is there now keeps. */
export function checkGates(scene: Scene): readonly PreflightCheck[] {
  const { spec } = scene;
  const problems = [
    ...watched(scene),
    ...spec.gates.flatMap((gate, i) => gateProblems(gate, `spec.gates[${i}]`, scene)),
    ...questionProblems(spec, scene.service?.name ?? spec.service),
  ];
  return verdict('gates', `${spec.gates.map((g) => g.name).join(', ')} can judge it`, problems);
}

/** What says something of the moving side at all. */
const watching: readonly MigrationGate['type'][] = ['error-rate', 'latency', 'prometheus'];

function watched({ spec }: Scene): Problem[] {
  const problems: Problem[] = [];
  const names = spec.gates.map((g) => g.name);
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  if (twice.length > 0) problems.push(fail('spec.gates', `several gates are named ${twice[0]}`, 'give each a name of its own'));
  if (spec.gates.some((g) => watching.includes(g.type))) return problems;
  const fix = 'add a gate of type errorRate, latency or prometheus';
  return [...problems, fail('spec.gates', 'no gate watches what the moving side answers: nothing would stop a bad version', fix)];
}

function gateProblems(gate: MigrationGate, path: string, scene: Scene): Problem[] {
  const { seen } = scene.facts;
  switch (gate.type) {
    case 'error-rate':
      return seen === undefined ? [] : errorRate(gate, path, seen);
    case 'latency':
      return [...requestsOnly(gate, path, scene), ...(seen === undefined ? [] : latency(gate, path, seen))];
    case 'saturation':
      return requestsOnly(gate, path, scene);
    case 'request-rate':
      return seen === undefined ? [] : requestRate(gate, path, seen);
    default:
      return [];
  }
}

function requestsOnly({ name, type }: MigrationGate, path: string, scene: Scene): Problem[] {
  if (!isByteStream(scene)) return [];
  const protocols = [...new Set(scene.service?.ports.map((p) => p.protocol))].join(', ');
  const message = `gate ${name} (${type}) judges requests, and ${scene.key} has connections only (${protocols}): it would never have data`;
  return [fail(path, message, 'gate on errorRate, requestRate or prometheus, or declare the protocol of its ports')];
}

function errorRate({ name, max }: Extract<MigrationGate, { type: 'error-rate' }>, path: string, seen: SeenTraffic): Problem[] {
  const all = seen.requests + seen.connections;
  const now = seen.errors / all;
  if (now <= max) return [];
  const message = `gate ${name} allows ${percentText(max)}, and ${percentText(now)} fail on the old side now: it would roll back what is no worse`;
  const fix = `mend the old side first, or set max to ${percentText(now * 1.5).replace(' ', '')} and maxIncrease to what may be added`;
  return [fail(`${path}.max`, message, fix)];
}

function latency({ name, percentile, maxMs }: Extract<MigrationGate, { type: 'latency' }>, path: string, seen: SeenTraffic): Problem[] {
  const known = new Map([
    [50, seen.p50],
    [90, seen.p90],
    [99, seen.p99],
  ]);
  const now = known.get(percentile) ?? null;
  if (now === null || maxMs === undefined || now <= maxMs) return [];
  const text = durationText(now);
  const message = `gate ${name} allows ${durationText(maxMs)} at the ${percentile}th percentile, and the old side takes ${text} now: it would roll back what is no slower`;
  return [fail(`${path}.max`, message, `set max above ${text}, or maxRatio alone`)];
}

function requestRate({ name, min }: Extract<MigrationGate, { type: 'request-rate' }>, path: string, seen: SeenTraffic): Problem[] {
  const now = (seen.requests + seen.connections) / seen.seconds;
  if (now >= min) return [];
  const message = `gate ${name} needs ${rateText(min)} to both sides, and ${rateText(now)} were seen: it would never have enough`;
  return [fail(`${path}.min`, message, `set min below ${rateText(now)}, or begin when there is more traffic`)];
}
