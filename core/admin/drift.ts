import { type Static, Type } from 'typebox';
import { list } from './common.ts';

const Owner = Type.Object({ cluster: Type.String(), source: Type.String() });
const orNull = <T extends ReturnType<typeof Type.String> | ReturnType<typeof Type.Number>>(type: T) => Type.Union([type, Type.Null()]);

const DriftPair = Type.Object({
  /** Whose objects. */
  owner: Type.String(),
  /** Who should hold them. */
  cluster: Type.String(),
  state: Type.Union([Type.Literal('in-sync'), Type.Literal('drift'), Type.Literal('unknown')]),
  /** How many it holds, and how many there are to hold; null: not known. */
  objects: orNull(Type.Number()),
  ownerObjects: orNull(Type.Number()),
  /** Of the owner, as of what is held; null: not known. It grows with each change of the owner's. */
  revision: orNull(Type.Number()),
  ownerRevision: orNull(Type.Number()),
  /** How many differ, or may. */
  differing: Type.Integer(),
  /** RFC 3339: seen to be so since then, or longer: this control plane looks since it was started. Null: in sync. */
  since: orNull(Type.String()),
  why: Type.String(),
  /** What to do; empty: nothing. */
  next: Type.String(),
});

const DriftObject = Type.Object({
  /** Of the owner; source is empty where the name is. */
  owner: Owner,
  group: Type.String(),
  kind: Type.String(),
  namespace: Type.String(),
  /** Empty: several, of which only their number is known. */
  name: Type.String(),
  count: Type.Integer(),
  /** Who holds it otherwise than its owner has it. */
  cluster: Type.String(),
  /** lags, missing, refused, extra (its owner no longer has it) or unknown; in-sync where all were asked for. */
  state: Type.String(),
  /** SHA-256, of what the owner has and the cluster holds; null: nothing, or not known. */
  digest: orNull(Type.String()),
  held: orNull(Type.String()),
  since: orNull(Type.String()),
  why: Type.String(),
  next: Type.String(),
});
export type DriftObject = Static<typeof DriftObject>;

const DriftConflict = Type.Object({
  group: Type.String(),
  kind: Type.String(),
  namespace: Type.String(),
  name: Type.String(),
  /** In force here. */
  winner: Owner,
  losers: list(Owner),
  since: orNull(Type.String()),
  next: Type.String(),
});

/** GET /v1/drift: shared objects, and which cluster holds them otherwise than their owner has them. */
export const Drift = Type.Object({
  /** Who looks: what clusters say that are no peers of it is not in it. */
  cluster: Type.String(),
  time: Type.String(),
  /** `drift` where anything is known to differ, or has several owners; else `unknown` where anything is not known. */
  state: Type.Union([Type.Literal('in-sync'), Type.Literal('drift'), Type.Literal('unknown')]),
  pairs: list(DriftPair),
  /** What differs; what is not in it does not, but for what is not named here. */
  objects: list(DriftObject),
  /** Objects with several owners. */
  conflicts: list(DriftConflict),
});
export type Drift = Static<typeof Drift>;

/** Of it, in the status. */
export const DriftSummary = Type.Object({
  state: Type.String(),
  /** Objects that a cluster holds otherwise than their owner has them, counted for each cluster. */
  differing: Type.Integer(),
  /** Pairs of owner and holder of which nothing is known now. */
  unknown: Type.Integer(),
  conflicts: Type.Integer(),
});
export type DriftSummary = Static<typeof DriftSummary>;
