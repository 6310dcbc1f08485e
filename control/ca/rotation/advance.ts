import { isLeftOut, type Laggard } from './awareness.ts';
import type { RotationPhase, RotationRecord } from './record.ts';

/** How far one cluster is, as it says itself. */
export interface ClusterProgress {
  readonly cluster: string;
  /** Undefined: nothing was heard, or it knows no rotation. */
  readonly report:
    | {
        /** Of the statement in force there. */
        readonly version: number;
        /** Root over its signing certificate. */
        readonly issuerRoot: string;
        readonly known: ReadonlySet<string>;
        readonly unaware: readonly Laggard[];
        readonly holding: readonly Laggard[];
        /** More than are listed. */
        readonly holdingTotal: number;
        /** Of either list there are more than it names. */
        readonly more: boolean;
        readonly fault: string;
      }
    | undefined;
  /** Of the peering; this cluster's own is always true. */
  readonly connected: boolean;
}

/** Somebody who keeps a phase from ending. */
export interface Missing extends Laggard {
  readonly cluster: string;
}

export interface GateInput {
  readonly record: RotationRecord;
  /** Of the phase's statement; undefined: it is not made yet. */
  readonly version: number | undefined;
  readonly clusters: readonly ClusterProgress[];
}

/** Who keeps the phase from ending; nobody: its gate is open. Pure. */
export function missingFor({ record, version, clusters }: GateInput): readonly Missing[] {
  const { phase, without } = record;
  if (phase === 'prepare' || version === undefined) return [];
  return clusters.filter(({ cluster }) => !without.includes(cluster)).flatMap((each) => missingAt(each, record, version));
}

function missingAt({ cluster, report, connected }: ClusterProgress, record: RotationRecord, version: number): readonly Missing[] {
  const whole = (reason: string): Missing[] => [{ cluster, name: cluster, reason, offline: !connected }];
  const inside = (list: readonly Laggard[]): Missing[] =>
    list.filter(({ name }) => !isLeftOut(`${cluster}/${name}`, record.without)).map((each) => ({ cluster, ...each }));
  if (!connected) return whole('is not connected');
  if (report === undefined) return whole('does not say how far it is: is it of an older version?');
  const goal = record.goal === 'to' ? (record.to ?? '') : record.from;
  if (report.version < version) {
    const listed = inside(record.phase === 'retire' ? report.holding : []);
    return listed.length > 0 ? listed : whole(report.fault === '' ? 'has not taken the newest statement yet' : report.fault);
  }
  if (record.phase === 'distribute') {
    if (report.known.has(goal)) return [];
    const listed = inside(report.unaware);
    return listed.length > 0 ? listed : whole('has not made sure of the new root yet');
  }
  if (record.phase !== 'sign') return [];
  if (report.issuerRoot !== goal) return whole('has no signing certificate under the root yet, or not everybody knows it');
  const listed = inside(report.holding);
  if (listed.length > 0) return listed;
  return report.holdingTotal > report.holding.length ? whole(`${report.holdingTotal} hold what is under the other root`) : [];
}

/** The phase that follows once the gate is open. */
function nextPhase({ phase, goal }: RotationRecord): RotationPhase | undefined {
  switch (phase) {
    case 'prepare':
      return 'distribute';
    case 'distribute':
      return 'sign';
    case 'sign':
      return 'retire';
    case 'retire':
      return goal === 'to' ? 'done' : 'aborted';
    default:
      return undefined;
  }
}

/** What the driver does next, given who is missing. `wait`: for them, or for the operator's `continue`. Pure. */
export function advance(record: RotationRecord, missing: readonly Missing[]): { readonly enter: RotationPhase } | 'wait' {
  const next = nextPhase(record);
  if (next === undefined || missing.length > 0) return 'wait';
  const asks = record.step && next !== 'done' && next !== 'aborted' && record.allowed !== next;
  return asks ? 'wait' : { enter: next };
}

export function entered(record: RotationRecord, phase: RotationPhase, at: number): RotationRecord {
  const { allowed: _used, ...rest } = record;
  return { ...rest, phase, history: [...record.history, { phase, at }] };
}

/** On the way back, which asks nobody: what was only distributed is withdrawn, what signs is signed back first. Undefined: it is too late, or there is nothing. */
export function aborted(record: RotationRecord, at: number): RotationRecord | undefined {
  const { phase } = record;
  if (record.goal === 'from') return record;
  if (phase === 'prepare') return entered({ ...record, goal: 'from', step: false }, 'aborted', at);
  if (phase === 'distribute') return entered({ ...record, goal: 'from', step: false }, 'retire', at);
  return phase === 'sign' ? entered({ ...record, goal: 'from', step: false }, 'sign', at) : undefined;
}
