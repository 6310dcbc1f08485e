import type { DrainEndpoint, MigrationEvent, MigrationSample, MigrationStatus } from '../../../core/admin/index.ts';
import type { Clock } from '../../../core/clock.ts';
import type { MigrationGate, MigrationSpec } from '../../../core/config/index.ts';
import type { Log } from '../../../core/log.ts';
import type { Store } from '../../../core/store.ts';
import type { Checked } from '../../../core/validate.ts';
import type { Leadership } from '../../leadership/index.ts';
import type { CallerCounts, ExternalGate, Meter, MigrationState, Observation } from '../contract.ts';

/** A Migration as people wrote it, in force and of this cluster. */
export interface MigrationObject {
  readonly spec: MigrationSpec;
  /** Unix ms, by its owner. */
  readonly createdAt: number;
}

/** Migrations by NAMESPACE/NAME. */
export interface MigrationObjects {
  /**
   * Undefined: not all sources have been read yet, so that what is missing may well be there. A value that is undefined: it is there, and this version
   * cannot read it; what runs goes on as it was pinned. What is missing was deleted, and goes back.
   */
  current(): ReadonlyMap<string, MigrationObject | undefined> | undefined;
  /** Told after each change; returns its undoing. */
  subscribe(listener: () => void): () => void;
}

/** The name under which callers without a sidecar find the service. */
export interface NativeNameSwitch {
  /**
   * Brings it to what is wanted, and says what it is then, which may be the other for now. Idempotent: it is called at every look. Rejects with MeshError
   * where that cannot be known.
   */
  bring(state: MigrationState, wanted: 'original' | 'switched', signal: AbortSignal): Promise<'original' | 'switched'>;
}

export interface MigrationsOptions {
  readonly store: Store;
  /** For `migrations`. */
  readonly leadership: Leadership;
  readonly clock: Clock;
  readonly log: Log;
  /** This process, for people. */
  readonly replica: string;
  readonly cluster: string;
  /** How many may run at once. */
  readonly limit: number;
  readonly objects: MigrationObjects;
  /** Both sides, as the catalog has them now. */
  readonly places: (state: MigrationState) => Observation['places'];
  /** Who calls the service: who is silent, and who does not have the weight in force. */
  readonly proxies: (state: MigrationState) => Observation['proxies'];
  /** Called once a run by its leader, which closes it. */
  readonly meter: (state: MigrationState) => Meter;
  /** Undefined: telemetry tells. */
  readonly external: (gate: MigrationGate) => ExternalGate | undefined;
  /** Places of the old side. May take up to an interval; what fails is looked at again at the next look. */
  readonly drain: (state: MigrationState, signal: AbortSignal) => Promise<readonly DrainEndpoint[]>;
  readonly nativeName: NativeNameSwitch;
  /** What must hold before it begins, with everything that does not. */
  readonly preflight: (namespace: string, name: string) => Promise<Checked<unknown>>;
  /** Each event after it is durable, told by the replica that wrote it; of a write whose outcome was not heard it may be lost. Must not throw. */
  readonly onEvent: (state: MigrationState, event: MigrationEvent) => void;
  /** What was sampled at each look, by its leader. Must not throw. */
  readonly onSample?: (state: MigrationState, sample: MigrationSample) => void;
}

/** What its leader saw at its last look, for other replicas. */
export interface LiveRecord {
  /** Unix ms. */
  readonly at: number;
  readonly run: number;
  readonly phase: MigrationState['phase'];
  readonly step: number;
  readonly shown: Pick<MigrationStatus, 'from' | 'to' | 'gates' | 'remainingMs' | 'drain'>;
}

/** Whom its leader has known as callers, sorted: another that leads after it would not know whom to wait for, nor other replicas of whom to tell. */
export interface CallersRecord {
  readonly callers: readonly string[];
}

/** For the report of one run. */
export interface SampleRecord {
  readonly run: number;
  /** Every so many looks one was kept. */
  readonly stride: number;
  readonly samples: readonly MigrationSample[];
  readonly callers: readonly CallerCounts[];
}

export interface Freeze {
  readonly by: string;
  /** Unix ms. */
  readonly at: number;
  readonly reason: string;
}
