import type { Held } from './held-object.ts';
import type { KeptChange } from './object-records.ts';

/** A change that the peer has not confirmed yet, and what it goes back to. */
export interface Unconfirmed {
  /** Of the changed object; empty: the change removes it. */
  readonly version: string;
  /** Unix ms, by the peer's clock. */
  readonly confirmBy: number;
  /** Undefined: it is not there then. */
  readonly fallback: Held | undefined;
}

/** What counts here of a peer's objects, by SharedObject's name. Immutable. */
export interface InForce {
  readonly held: ReadonlyMap<string, Held>;
  /** Which of it goes back by itself unless it is confirmed. */
  readonly waiting: ReadonlyMap<string, Unconfirmed>;
}

export const nothing: InForce = { held: new Map(), waiting: new Map() };

/**
 * After the deadline: the owner's own word, be it that it has confirmed at the last moment or that it has rolled back, is a transaction and
 * a way through the network behind it, and counts where it comes.
 */
const graceMs = 2_000;

/** Unix ms by the peer's clock, when the next of it goes back; undefined: nothing waits. */
export function nextDeadline({ waiting }: InForce): number | undefined {
  let next: number | undefined;
  for (const { confirmBy } of waiting.values()) next = Math.min(next ?? confirmBy, confirmBy);
  return next === undefined ? undefined : next + graceMs;
}

/**
 * Pure: what counts of what a peer says, at `now` (Unix ms by the peer's clock). What `unconfirmed` says of another version than is there
 * has been overtaken, or is not there yet, and does not count.
 */
export function inForceAt(objects: ReadonlyMap<string, Held>, unconfirmed: ReadonlyMap<string, Unconfirmed>, now: number): InForce {
  const held = new Map(objects);
  const waiting = new Map<string, Unconfirmed>();
  for (const [name, each] of unconfirmed) {
    if (each.version !== (objects.get(name)?.version ?? '')) continue;
    if (now < each.confirmBy + graceMs) waiting.set(name, each);
    else if (each.fallback === undefined) held.delete(name);
    else held.set(name, each.fallback);
  }
  return { held, waiting };
}

export function sameObjects(a: InForce, b: InForce): boolean {
  if (a.held.size !== b.held.size) return false;
  for (const [name, each] of a.held) if (b.held.get(name) !== each) return false;
  return true;
}

/**
 * Pure: what must be written for a restart to find `after` in the place of `before`, in an order in which no object is ever there
 * without its deadline.
 */
export function changesToKeep(before: InForce, after: InForce): readonly KeptChange[] {
  const changes: KeptChange[] = [];
  for (const [name, { version, confirmBy, fallback }] of after.waiting) {
    if (before.waiting.get(name) === after.waiting.get(name)) continue;
    const to = fallback && { bytes: fallback.bytes, createdAt: fallback.createdAt };
    changes.push({ kind: 'waiting', name, value: { version, confirmBy, ...(to === undefined ? {} : { fallback: to }) } });
  }
  for (const [name, { createdAt, claimed }] of before.held) {
    if (after.held.has(name)) continue;
    changes.push({ kind: 'object', name, bytes: undefined });
    if (createdAt !== claimed) changes.push({ kind: 'age', name, at: undefined });
  }
  for (const [name, { version, bytes, claimed, createdAt }] of after.held) {
    const old = before.held.get(name);
    if (old?.version === version && old.createdAt === createdAt) continue;
    changes.push({ kind: 'object', name, bytes });
    if (createdAt !== claimed || (old !== undefined && old.createdAt !== old.claimed))
      changes.push({ kind: 'age', name, at: createdAt === claimed ? undefined : createdAt });
  }
  for (const name of before.waiting.keys()) if (!after.waiting.has(name)) changes.push({ kind: 'waiting', name, value: undefined });
  return changes;
}
