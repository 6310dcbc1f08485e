import type { AttemptFailure } from '../engine/index.ts';
import { Hurry } from './hurry.ts';
import { Suspects } from './suspects.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export type Acquired =
  | { readonly ok: true; readonly connection: UpstreamConnection; readonly reused: boolean }
  | { readonly ok: false; readonly failure: AttemptFailure; readonly reason: string };

/** What leads to one endpoint. Connections whose route the pool has forgotten are not kept when they are done. */
export interface Route {
  readonly key: string;
  readonly idle: UpstreamConnection[];
  readonly random: number;
  readonly suspects: Suspects;
  opened: number;
  /** One is being opened beside those that stand. */
  opening: AbortController | undefined;
  /** Monotonic ms; after one could not be opened. */
  openAgainAt: number;
  /** Connections that stand, in use or not, or are being opened. */
  standing: number;
  /** Requests for which no connection may be opened; the first gets the next that is free. */
  readonly waiting: Waiting[];
  /** Requests for which one may be opened, while others are in use. */
  readonly hurry: Hurry<Acquired>;
}

interface Waiting {
  readonly resolve: (acquired: Acquired) => void;
  readonly again: () => void;
}

export function newRoute(key: string, random: number): Route {
  return {
    key,
    idle: [],
    random,
    suspects: new Suspects(),
    opened: 0,
    opening: undefined,
    openAgainAt: 0,
    standing: 0,
    waiting: [],
    hurry: new Hurry(),
  };
}
