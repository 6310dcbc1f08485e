import type { GateStatus } from '../../../core/admin/index.ts';
import type { MigrationState, Observation } from '../contract.ts';
import { countsBetween, inFlightOf, trialsOf } from '../figures.ts';
import type { Window } from '../gates/index.ts';

type Sides = Pick<Observation, 'from' | 'to'>;

/**
 * What a leader knows of the phase or step that it measures, on its own monotonic clock. Never durable: another leader measures from the
 * beginning, so what it does not know cannot make a gate pass.
 */
export interface Memory {
  /** What it is of: when the state says otherwise it begins anew. */
  readonly run: number;
  readonly phase: MigrationState['phase'];
  readonly step: number;
  /** Monotonic ms, here and below. */
  readonly beganAt: number;
  readonly base: Sides;
  readonly last: Sides & { readonly at: number };
  /** When the counts of the new side last rose. */
  readonly roseAt?: number;
  /** Since when it could go on but for its gates. */
  readonly failingSince?: number;
  readonly partitionSince?: number;
  /** Since when the old side has no endpoint. */
  readonly emptySince?: number;
  /** What was told once and is not told again. */
  readonly told: readonly ('gate-waits' | 'approval')[];
  /** The most requests at once for each healthy endpoint of the old side, in one interval of this phase. */
  readonly capacity: number;
  readonly gates: readonly GateStatus[];
}

interface Moment {
  readonly observation: Observation;
  readonly monotonic: number;
}

export function beginMemory({ run, phase, step }: MigrationState, { observation: { from, to }, monotonic }: Moment): Memory {
  const sides = { from, to };
  return { run, phase, step, beganAt: monotonic, base: sides, last: { ...sides, at: monotonic }, told: [], capacity: 0, gates: [] };
}

export function isMemoryOf(memory: Memory, state: MigrationState): boolean {
  return memory.run === state.run && memory.phase === state.phase && memory.step === state.step;
}

/** What happened since `memory` last looked, and since its phase or step began. */
export function windowsOf(memory: Memory, { observation, monotonic }: Moment): { readonly interval: Window; readonly step: Window } {
  const since = ({ from, to }: Sides, at: number): Window => ({
    elapsedMs: monotonic - at,
    from: countsBetween(from, observation.from),
    to: countsBetween(to, observation.to),
  });
  return { interval: since(memory.last, memory.last.at), step: since(memory.base, memory.beganAt) };
}

/** It has looked once more. */
export function lookedAgain(memory: Memory, interval: Window, { observation, monotonic }: Moment): Memory {
  const { healthy } = observation.places.from;
  const inFlight = inFlightOf(interval.from, interval.elapsedMs) ?? 0;
  const rose = trialsOf(interval.to) > 0 ? { roseAt: monotonic } : {};
  const last = { from: observation.from, to: observation.to, at: monotonic };
  return { ...memory, ...rose, last, capacity: healthy > 0 ? Math.max(memory.capacity, inFlight / healthy) : memory.capacity };
}

/** With or without one of the moments since when something is so. */
export function sinceWhen(memory: Memory, key: 'failingSince' | 'partitionSince' | 'emptySince', holds: boolean, at: number): Memory {
  const { [key]: since, ...rest } = memory;
  return holds ? { ...rest, [key]: since ?? at } : rest;
}
