import { type Static, Type } from 'typebox';
import { list } from './common.ts';

const orNull = <T extends ReturnType<typeof Type.String> | ReturnType<typeof Type.Number>>(type: T) => Type.Union([type, Type.Null()]);
const oneOf = <const T extends readonly string[]>(...words: T) =>
  Type.Unsafe<T[number]>(Type.Union(words.map((word) => Type.Literal(word))));

/**
 * `reserved`: applied and not started: the new side gets nothing. `waiting`: started, and others come first. `holding` is no phase: see `hold`.
 * `done`, `rolled-back` and `aborted` are ends.
 */
export const MigrationPhase = oneOf(
  'reserved',
  'waiting',
  'baseline',
  'mirroring',
  'stepping',
  'draining',
  'done',
  'rolling-back',
  'rolled-back',
  'aborted',
);
export type MigrationPhase = Static<typeof MigrationPhase>;

/** What one gate says, of the interval or of the step, whichever is worse. */
export const GateStatus = Type.Object({
  name: Type.String(),
  type: Type.String(),
  /** `wait`: too few samples, or not proven either way; `no-data`: nothing is known; both never pass. */
  verdict: oneOf('pass', 'wait', 'no-data', 'breach'),
  /** Of the moving side; null: not known. */
  value: orNull(Type.Number()),
  /** In words, as `≤ 1 %`. */
  limit: Type.String(),
  /** `share`, `ms`, `/s`, or empty for what the query gives. */
  unit: Type.String(),
  /** The side that is left, at the same time; null: not known, or not compared. */
  compared: orNull(Type.Number()),
  samples: Type.Number(),
  needed: Type.Number(),
  /** In [0, 1]: of the verdict; null: not a matter of chance. */
  confidence: orNull(Type.Number()),
  /** Why, in one sentence. */
  reason: Type.String(),
});
export type GateStatus = Static<typeof GateStatus>;

const figures = {
  requests: Type.Number(),
  connections: Type.Number(),
  errors: Type.Number(),
  /** ms; null: no requests. */
  p50: orNull(Type.Number()),
  p90: orNull(Type.Number()),
  p99: orNull(Type.Number()),
  /** Requests at once, on average. */
  inFlight: orNull(Type.Number()),
};

const SideStatus = Type.Object({
  /** CLUSTER/SOURCE. */
  side: Type.String(),
  /** live, stale or unknown. */
  state: Type.String(),
  endpoints: Type.Integer(),
  healthy: Type.Integer(),
  /** Percent: asked for, and measured in this step. Null: nothing was sent yet. */
  weight: Type.Number(),
  measured: orNull(Type.Number()),
  /** In this step. */
  ...figures,
});
export type SideStatus = Static<typeof SideStatus>;

/** One place of the old side. */
export const DrainEndpoint = Type.Object({
  instance: Type.String(),
  /** ADDRESS:PORT. */
  address: Type.String(),
  /** `unknown`: no agent sees that machine's sockets: never safe. `quiet`: none from outside, since `since`. */
  verdict: oneOf('unknown', 'in-use', 'quiet', 'safe'),
  /** RFC 3339; null: not quiet. */
  since: orNull(Type.String()),
  /** Requests and streams of the mesh that are under way; null: not known. */
  meshStreams: orNull(Type.Number()),
  /** From outside the mesh. */
  callers: list(
    Type.Object({
      address: Type.String(),
      /** Service, gateway, node or program, as far as it is known; may be empty. */
      name: Type.String(),
      connections: Type.Integer(),
    }),
  ),
  reason: Type.String(),
});
export type DrainEndpoint = Static<typeof DrainEndpoint>;

export const MigrationEvent = Type.Object({
  /** RFC 3339. */
  at: Type.String(),
  /** Stable word: started, baseline-measured, step-begun, step-passed, gate-waits, hold, hold-over, breach, paused, resumed, approved, rollback-begun, rolled-back, draining, safe, done, aborted, native-name-switched, native-name-restored, leader-changed, frozen, unfrozen. */
  type: Type.String(),
  /** Who asked; `isthmus` for what it does by itself. */
  by: Type.String(),
  message: Type.String(),
  weight: Type.Number(),
});
export type MigrationEvent = Static<typeof MigrationEvent>;

export const MigrationStatus = Type.Object({
  namespace: Type.String(),
  name: Type.String(),
  service: Type.String(),
  phase: MigrationPhase,
  /** One more at each `start`. */
  run: Type.Integer(),
  from: SideStatus,
  to: SideStatus,
  /** Index into `steps`; -1 before the first. */
  step: Type.Integer(),
  steps: list(Type.Object({ weight: Type.Number(), bakeMs: Type.Number(), approval: Type.Boolean(), approved: Type.Boolean() })),
  mirrorPercent: Type.Number(),
  gates: list(GateStatus),
  paused: Type.Union([Type.Object({ by: Type.String(), at: Type.String(), reason: Type.String() }), Type.Null()]),
  /** Why it does not go on by itself, though nobody paused it; null: it does. */
  hold: Type.Union([Type.Object({ reason: Type.String(), since: Type.String() }), Type.Null()]),
  /** Why it went back; null: it did not. */
  rollback: Type.Union([Type.Object({ reason: Type.String(), at: Type.String(), fromWeight: Type.Number() }), Type.Null()]),
  /** ms that this phase or step lasts at least from now; null: not bound by time. */
  remainingMs: orNull(Type.Number()),
  /** What happens next, in one sentence. */
  next: Type.String(),
  drain: list(DrainEndpoint),
  nativeName: oneOf('none', 'original', 'switched'),
  startedAt: orNull(Type.String()),
  endedAt: orNull(Type.String()),
  /** The newest last; at most 50. */
  events: list(MigrationEvent),
  /** Of the spec as it runs; another than the object's: it was changed since, which counts from the next start. */
  specDigest: Type.String(),
  specChanged: Type.Boolean(),
  /** Replica that drives it; empty: nobody does now. */
  leader: Type.String(),
});
export type MigrationStatus = Static<typeof MigrationStatus>;

export const MigrationList = Type.Object({
  migrations: list(MigrationStatus),
  /** Who stopped all of them; null: nobody. */
  freeze: Type.Union([Type.Object({ by: Type.String(), at: Type.String(), reason: Type.String() }), Type.Null()]),
  /** How many may run at once. */
  limit: Type.Integer(),
});
export type MigrationList = Static<typeof MigrationList>;

/** Figures of one side over one stretch of time. */
export const SideFigures = Type.Object(figures);
export type SideFigures = Static<typeof SideFigures>;

/** One look at a running migration, for plots. */
export const MigrationSample = Type.Object({
  at: Type.String(),
  weight: Type.Number(),
  /** Percent to the new side in this interval; null: no traffic. */
  measured: orNull(Type.Number()),
  from: SideFigures,
  to: SideFigures,
});
export type MigrationSample = Static<typeof MigrationSample>;

export const MigrationReport = Type.Object({
  status: MigrationStatus,
  baseline: Type.Union([SideFigures, Type.Null()]),
  steps: list(
    Type.Object({
      weight: Type.Number(),
      begunAt: Type.String(),
      endedAt: orNull(Type.String()),
      /** passed, breach, rolled-back, aborted or running. */
      outcome: Type.String(),
      from: SideFigures,
      to: SideFigures,
      gates: list(GateStatus),
    }),
  ),
  /** At most 1,000; thinned evenly beyond. */
  samples: list(MigrationSample),
  /** All that are kept, at most 500. */
  events: list(MigrationEvent),
  /** Who called the service while it moved, by principal, or the gateway that they came by. */
  callers: list(Type.Object({ source: Type.String(), cluster: Type.String(), from: Type.Number(), to: Type.Number() })),
});
export type MigrationReport = Static<typeof MigrationReport>;
