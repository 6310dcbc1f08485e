import type { GateStatus, MigrationEvent } from '../../../core/admin/index.ts';
import type { MigrationState } from '../contract.ts';
import { comeBack, drain, release } from './ending.ts';
import { itself, newEvents, withEvent } from './events.ts';
import { beginMemory, isMemoryOf, type Memory, windowsOf } from './memory.ts';
import { measureBaseline, mirror, wait } from './prepare.ts';
import { completeRecord } from './records.ts';
import { step } from './stepping.ts';
import { type AdvanceInput, type Outcome, type Turn, takeTurn } from './turn.ts';

export interface Advanced {
  /** The same object where nothing durable changed. */
  readonly state: MigrationState;
  /** For the next look, once the state is written. */
  readonly memory: Memory;
  readonly events: readonly MigrationEvent[];
  readonly gates: readonly GateStatus[];
}

/**
 * One look at one migration: at most one transition. What it decides by is the observation and the leader's monotonic clock; a first look (no memory)
 * measures from the beginning, and moves nothing forward.
 */
export function advance(state: MigrationState, input: AdvanceInput): Advanced {
  const { memory: before } = input;
  const current = settle(state, input);
  const memory = before !== undefined && isMemoryOf(before, current) ? before : beginMemory(current, input);
  const turn = takeTurn(current, memory, input);
  const outcome = inPhaseOf(current, turn);
  const after = isMemoryOf(outcome.memory, outcome.state) ? outcome.memory : carryOn(outcome, input);
  return { state: outcome.state, memory: after, events: newEvents(state, outcome.state), gates: turn.gates };
}

function inPhaseOf(state: MigrationState, turn: Turn): Outcome {
  switch (state.phase) {
    case 'waiting':
      return wait(state, turn);
    case 'baseline':
      return measureBaseline(state, turn);
    case 'mirroring':
      return mirror(state, turn);
    case 'stepping':
      return step(state, turn);
    case 'draining':
      return drain(state, turn);
    case 'rolling-back':
      return comeBack(state, turn);
    case 'done':
      return release(state, turn);
    case 'reserved':
    case 'rolled-back':
    case 'aborted':
      return { state, memory: turn.memory };
  }
}

/** What others left to its leader: that it is another now, and the figures of a step that somebody ended. */
function settle(state: MigrationState, input: AdvanceInput): MigrationState {
  const { memory, replica, now } = input;
  const measures = ['baseline', 'mirroring', 'stepping', 'draining', 'rolling-back'].includes(state.phase);
  if (memory === undefined) {
    const words = `${replica} leads now, and measures this ${state.phase === 'stepping' ? 'step' : 'phase'} from its beginning`;
    return measures ? withEvent(state, 'leader-changed', words, { now, by: itself }) : state;
  }
  const ended = state.run === memory.run && state.step === memory.step && memory.phase === 'stepping' && state.phase !== 'stepping';
  return ended ? completeRecord(state, { step: windowsOf(memory, input).step, gates: memory.gates }) : state;
}

/** Another phase or step is measured from here; that somebody is awaited was told already. */
function carryOn({ state, memory }: Outcome, input: AdvanceInput): Memory {
  const fresh = beginMemory(state, input);
  const told = state.step === memory.step && state.phase === 'stepping' ? memory.told : [];
  return { ...fresh, told };
}
