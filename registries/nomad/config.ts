import type { NomadConnection, RegistrySpec } from '../../core/config/index.ts';

/** A Registry object's spec whose connection is Nomad's. */
export type NomadSpec = RegistrySpec & { readonly connection: NomadConnection };

/** Times in ms and counts that operators of very large or very distant Nomads, and tests, may want to turn. */
export interface NomadTuning {
  /** How long Nomad may hold a blocking query, where the event stream is not to be had; default 5 min (its maximum is 10 min). */
  readonly waitMs: number;
  /** What an answer may take beyond a wait before the connection counts as hung; default 10 s. */
  readonly marginMs: number;
  /** The event stream counts as hung after this silence; default 15 s: Nomad sends a heartbeat every 10 s. */
  readonly streamIdleMs: number;
  /** Requests at once while everything is read; default 16. */
  readonly concurrency: number;
  /** How often results of Nomad's own checks are read, per allocation that has any; default 1 s. Nomad offers no way to wait for them. */
  readonly checkIntervalMs: number;
  /** Waits between tries of an outage. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
}

export const defaultTuning: NomadTuning = {
  waitMs: 300_000,
  marginMs: 10_000,
  streamIdleMs: 15_000,
  concurrency: 16,
  checkIntervalMs: 1_000,
  backoff: { baseMs: 100, maxMs: 5_000 },
};
