import type { Clock } from '../../core/clock.ts';
import { Deadlines, type Timed } from '../deadlines.ts';
import { type ClusterTable, type EndpointAttempt, ejectionKey } from '../engine/index.ts';

const baseMs = 500;
const maxMs = 30_000;
/** Failures in a row after the connection stood, before its endpoint is held back. */
const tolerated = 3;

export interface OutliersOptions {
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  /** `ejected` has changed. */
  readonly onChange: () => void;
}

/**
 * Passive health: who refused a connection is held back for a while that doubles with each relapse (0.5 s to 30 s, jittered), then
 * tried again; one success clears it. What fails behind a gateway says nothing about the gateway, and is not held against it:
 * the gateway has eyes of its own.
 */
export class Outliers {
  readonly #options: OutliersOptions;
  readonly #deadlines: Deadlines;
  readonly #suspects = new Map<string, Suspect>();
  #ejected: ReadonlySet<string> = new Set();

  constructor(options: OutliersOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
  }

  /** Immutable; a change is a new set. */
  get ejected(): ReadonlySet<string> {
    return this.#ejected;
  }

  record({ clusterName, endpoint, result }: EndpointAttempt): void {
    if (result === 'aborted' || result === 'overflow' || result === 'shortage') return;
    const key = ejectionKey(clusterName, endpoint);
    if (result === 'ok') {
      const known = this.#suspects.get(key);
      if (known === undefined) return;
      this.#drop(key, known);
      this.#publish();
      return;
    }
    if (endpoint.viaGateway && result !== 'connect') return;
    const suspect = this.#suspects.get(key) ?? new Suspect(() => this.#publish());
    this.#suspects.set(key, suspect);
    suspect.failures += 1;
    const atOnce = result === 'connect' || result === 'local-origin';
    if (suspect.ejected || (!atOnce && suspect.failures < tolerated)) return;
    this.#eject(suspect);
  }

  /** Forgets endpoints that are no more. */
  keepOnly(clusters: ReadonlyMap<string, ClusterTable>): void {
    if (this.#suspects.size === 0) return;
    const known = new Set<string>();
    for (const [name, { endpoints }] of clusters) for (const endpoint of endpoints) known.add(ejectionKey(name, endpoint));
    for (const [key, suspect] of this.#suspects) if (!known.has(key)) this.#drop(key, suspect);
    this.#ejected = this.#current();
  }

  /** Ends the timer. Idempotent. */
  dispose(): void {
    for (const [key, suspect] of this.#suspects) this.#drop(key, suspect);
  }

  #eject(suspect: Suspect): void {
    const { clock, random } = this.#options;
    const span = Math.min(maxMs, baseMs * 2 ** suspect.ejections);
    suspect.ejections = Math.min(suspect.ejections + 1, 16);
    suspect.deadline = clock.monotonic() + span * (0.75 + random() / 2);
    this.#deadlines.watch(suspect);
    this.#publish();
  }

  #drop(key: string, suspect: Suspect): void {
    this.#suspects.delete(key);
    this.#deadlines.forget(suspect);
  }

  #publish(): void {
    for (const suspect of this.#suspects.values()) if (!suspect.ejected) this.#deadlines.forget(suspect);
    this.#ejected = this.#current();
    this.#options.onChange();
  }

  #current(): ReadonlySet<string> {
    return new Set([...this.#suspects].filter(([, suspect]) => suspect.ejected).map(([key]) => key));
  }
}

class Suspect implements Timed {
  readonly #onExpired: () => void;
  deadline = Number.POSITIVE_INFINITY;
  failures = 0;
  ejections = 0;

  constructor(onExpired: () => void) {
    this.#onExpired = onExpired;
  }

  get ejected(): boolean {
    return this.deadline !== Number.POSITIVE_INFINITY;
  }

  expire(): void {
    this.deadline = Number.POSITIVE_INFINITY;
    this.#onExpired();
  }
}
