import type { MigrationSpec } from '../../../core/config/index.ts';
import type { MigrationState } from '../contract.ts';
import { figuresOf, trialsOf } from '../figures.ts';
import { fewestToCompare, isExternal, latencyNeeded, neededFor, some } from '../gates/index.ts';
import { withEvent } from './events.ts';
import { sinceWhen } from './memory.ts';
import { goOn, nobodyThere, unheld } from './stepping.ts';
import { inPhase } from './transitions.ts';
import { backOrHold, breachOf, judgeMissing, judgePartition, type Outcome, type Turn, withFreeze } from './turn.ts';

/** Dependencies first, and no more at once than may be: nothing is measured yet. */
export function wait(state: MigrationState, turn: Turn): Outcome {
  const { input, actor, memory } = turn;
  const { current, stopped } = unheld(state, turn);
  if (stopped || input.blockers.length > 0) return { state: current, memory };
  return { state: { ...inPhase(current, 'baseline', actor), turn: input.turn }, memory };
}

/** The old side alone: what the steps are compared with. */
export function measureBaseline(state: MigrationState, turn: Turn): Outcome {
  const parted = judgePartition(state, turn);
  if (parted !== undefined) return parted;
  const { spec } = state;
  if (turn.elapsedMs < spec.baselineMs) return { state: withFreeze(state, turn), memory: turn.memory };
  const missing = missingInBaseline(spec, turn);
  if (missing !== undefined) return judgeMissing(state, missing, turn.memory.beganAt + spec.baselineMs, turn);
  const memory = sinceWhen(turn.memory, 'failingSince', false, 0);
  const { current, stopped } = unheld(state, turn);
  if (stopped) return { state: current, memory };
  const nobody = nobodyThere(current, { ...turn, memory });
  if (nobody !== undefined) return nobody;
  const { from } = turn.measured.step;
  const figures = figuresOf(from, turn.elapsedMs);
  const baseline = { ...figures, latency: [...from.latency].sort(([a], [b]) => a - b), capacityPerEndpoint: memory.capacity };
  const words = `${trialsOf(from)} requests and connections to the old side, ${figures.errors} of which failed`;
  const measured = withEvent({ ...current, baseline }, 'baseline-measured', words, turn.actor);
  if (spec.mirror === undefined) return goOn(measured, { ...turn, memory });
  return { state: { ...inPhase(measured, 'mirroring', turn.actor), mirrorPercent: spec.mirror.percent }, memory };
}

function missingInBaseline({ gates, confidence }: MigrationSpec, { measured, memory }: Turn): string | undefined {
  const { from } = measured.step;
  const trials = Math.max(
    fewestToCompare,
    ...gates.map((gate) =>
      gate.type === 'error-rate' && gate.maxIncrease !== undefined ? neededFor(gate.max, confidence, gate.minSamples) : 0,
    ),
  );
  const seen = trialsOf(from);
  if (seen < trials) return `${seen} requests and connections to the old side, and ${trials} are needed`;
  const requests = Math.max(
    0,
    ...gates.map((gate) => (gate.type === 'latency' && gate.maxRatio !== undefined ? latencyNeeded(gate, confidence) : 0)),
  );
  if (from.requests < requests) return `${from.requests} requests to the old side, and ${requests} are needed to compare their times with`;
  if (gates.some(({ type }) => type === 'saturation') && memory.capacity <= 0)
    return 'how many requests an endpoint of the old side has at once was not seen';
  return undefined;
}

/** The new side gets copies, whose answers nobody waits for. */
export function mirror(state: MigrationState, turn: Turn): Outcome {
  const breach = breachOf(turn);
  if (breach !== undefined) return backOrHold(state, 'breach', breach, turn);
  const parted = judgePartition(state, turn);
  if (parted !== undefined) return parted;
  const { bakeMs } = state.spec.mirror ?? { bakeMs: 0 };
  const missing = missingInMirror(turn);
  if (missing !== undefined) return judgeMissing(state, missing, turn.memory.beganAt + bakeMs, turn);
  const memory = sinceWhen(turn.memory, 'failingSince', false, 0);
  const { current, stopped } = unheld(state, turn);
  return stopped || turn.elapsedMs < bakeMs ? { state: current, memory } : goOn(current, { ...turn, memory });
}

/**
 * Copies are no requests, and where no proxy of the new side counts them nothing is known of them: then what others say is all that there is, and
 * the gates that count requests are for the first step, which cannot pass without.
 */
function missingInMirror({ gates, measured, input }: Turn): string | undefined {
  const { silent, behind } = input.observation.proxies;
  if (behind.length > 0) return `copies are not acknowledged by ${some(behind)}`;
  if (silent.length > 0) return `no report came from ${some(silent)}`;
  if (trialsOf(measured.step.from) === 0) return 'no requests that could be copied';
  const counted = trialsOf(measured.step.to) > 0;
  const open = gates.find((gate) => gate.verdict !== 'pass' && (counted || isExternal(gate)));
  return open === undefined ? undefined : `gate ${open.name}: ${open.reason}`;
}
