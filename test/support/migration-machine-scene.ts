import type { MigrationCommand, MigrationState, Observation, SideCounts, SidePlaces } from '../../control/migrate/contract.ts';
import { type AdvanceInput, advance, command, type Memory, reserve } from '../../control/migrate/machine/index.ts';
import type { DrainEndpoint, MigrationEvent } from '../../core/admin/index.ts';
import type { MigrationGate, MigrationSpec } from '../../core/config/index.ts';
import { latencyBucket } from '../../core/telemetry/index.ts';

export const noCounts: SideCounts = {
  requests: 0,
  errors: 0,
  connections: 0,
  connectionErrors: 0,
  latency: new Map(),
  latencySumMs: 0,
};

/** So many requests that took `ms` each, `errors` of which failed. */
export function requests(count: number, ms = 20, errors = 0): SideCounts {
  return { ...noCounts, requests: count, errors, latency: new Map([[latencyBucket(ms), count]]), latencySumMs: count * ms };
}

export function addCounts(a: SideCounts, b: SideCounts): SideCounts {
  const latency = new Map(a.latency);
  for (const [bucket, n] of b.latency) latency.set(bucket, (latency.get(bucket) ?? 0) + n);
  return {
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    connections: a.connections + b.connections,
    connectionErrors: a.connectionErrors + b.connectionErrors,
    latencySumMs: a.latencySumMs + b.latencySumMs,
    latency,
  };
}

export const livePlaces: SidePlaces = { state: 'live', ageMs: 0, endpoints: 2, healthy: 2 };

export const errorRate: MigrationGate = { name: 'errors', type: 'error-rate', max: 0.01 };

export function migrationSpec(changes: Partial<MigrationSpec> = {}): MigrationSpec {
  return {
    service: 'reviews',
    from: { cluster: '', registry: 'consul/dc1' },
    to: { cluster: '', registry: 'kubernetes/prod' },
    steps: [1, 25, 100].map((weight) => ({ weight, bakeMs: 60_000, approval: false })),
    intervalMs: 15_000,
    baselineMs: 60_000,
    confidence: 0.95,
    gates: [errorRate],
    onNoData: { action: 'hold', afterMs: 120_000 },
    onPartition: { action: 'hold', afterMs: 60_000 },
    drain: { timeoutMs: 600_000, bakeMs: 600_000 },
    dependsOn: [],
    webhooks: [],
    ...changes,
  };
}

export const of = { namespace: 'shop', name: 'reviews', cluster: 'east' } as const;

export function drainEndpoint(verdict: DrainEndpoint['verdict'], address = '10.0.0.1:80'): DrainEndpoint {
  return { instance: address, address, verdict, since: null, meshStreams: 0, callers: [], reason: `it is ${verdict}` };
}

/** One migration with its world, looked at when told. What the store would keep is a JSON text. */
export class MigrationScene {
  state: MigrationState;
  memory: Memory | undefined;
  monotonic = 0;
  now = 1_700_000_000_000;
  from = noCounts;
  to = noCounts;
  fromPlaces = livePlaces;
  toPlaces = livePlaces;
  proxies: Observation['proxies'] = { callers: 3, silent: [], behind: [], missing: [], known: [] };
  external: Observation['external'] = new Map();
  drain: readonly DrainEndpoint[] | undefined;
  nativeName: Observation['nativeName'];
  freeze: AdvanceInput['freeze'];
  blockers: readonly string[] = [];
  turn = 1;
  replica = 'a';
  /** Requests a second to both sides; the rest is in the hand of each test. */
  rate = 100;
  errorsOfNew = 0;
  msOfNew = 20;

  constructor(spec: MigrationSpec = migrationSpec()) {
    this.state = reserve(spec, of, this.now);
    this.nativeName = this.state.nativeName;
  }

  observation(): Observation {
    return {
      from: this.from,
      to: this.to,
      places: { from: this.fromPlaces, to: this.toPlaces },
      proxies: this.proxies,
      external: this.external,
      ...(this.drain === undefined ? {} : { drain: this.drain }),
      nativeName: this.nativeName,
    };
  }

  ask(asked: MigrationCommand): readonly string[] {
    const checked = command(this.state, asked, { now: this.now, spec: this.state.spec, from: this.fromPlaces });
    if (checked.ok) this.state = checked.value;
    return checked.ok ? [] : checked.violations.map(({ message }) => message);
  }

  /** Time passes with its traffic, shared as the weight says; then it is looked at. */
  tick(ms = this.state.spec.intervalMs): readonly MigrationEvent[] {
    this.pass(ms);
    return this.look();
  }

  pass(ms: number): void {
    this.monotonic += ms;
    this.now += ms;
    const all = Math.round((this.rate * ms) / 1_000);
    const moved = Math.round((all * this.state.weight) / 100);
    this.from = addCounts(this.from, requests(all - moved));
    this.to = addCounts(this.to, requests(moved, this.msOfNew, Math.round(moved * this.errorsOfNew)));
  }

  look(): readonly MigrationEvent[] {
    const { now, monotonic, memory, replica, freeze, blockers, turn } = this;
    const advanced = advance(this.state, {
      observation: this.observation(),
      now,
      monotonic,
      replica,
      blockers,
      turn,
      ...(memory === undefined ? {} : { memory }),
      ...(freeze === undefined ? {} : { freeze }),
    });
    this.memory = advanced.memory;
    this.state = JSON.parse(JSON.stringify(advanced.state)) as MigrationState;
    return advanced.events;
  }

  /** Its leader dies, and another takes over, whose clock began at another time. */
  crash(): void {
    this.memory = undefined;
    this.monotonic = 7_000_000 - this.monotonic;
    this.replica = this.replica === 'a' ? 'b' : 'a';
    this.from = noCounts;
    this.to = noCounts;
  }

  tickUntil(what: string, holds: (state: MigrationState) => boolean, most = 100): void {
    for (let n = 0; n < most && !holds(this.state); n++) this.tick();
    if (!holds(this.state)) throw new Error(`${what} did not come: ${this.state.phase} at ${this.state.weight} %`);
  }

  types(): readonly string[] {
    return this.state.events.map(({ type }) => type);
  }
}
