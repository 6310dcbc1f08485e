import type { RegistrySource } from '../../../core/registry/index.ts';
import type { Breakage } from '../../fakes/breakable-server.ts';
import type { Follower } from './follower.ts';

/** One running registry, fake or real, and the hands that change it from outside the adapter. */
export interface RegistryHarness {
  /** A new source of it, claiming all, with waits short enough for tests. Native names `a` become `default/a`. */
  source(): RegistrySource;
  /** Adds or moves one instance; healthy. `port` is unique within the test, and tells endpoints apart. */
  register(service: string, instance: string, port: number): Promise<void>;
  deregister(service: string, instance: string): Promise<void>;
  /** Where the registry knows health. */
  setHealth?(service: string, instance: string, healthy: boolean): Promise<void>;
  /** How it can be broken. */
  readonly breakages: readonly Breakage[];
  break(how: Breakage): Promise<void>;
  /** Resolves when it serves again. */
  repair(): Promise<void>;
  /** It loses its data and its indexes start over; resolves when it serves again. */
  reset?(): Promise<void>;
  /** Open connections of clients, where they can be counted. */
  connections?(): number;
  /** How many instances a test may register; a real scheduler takes its time for each. */
  readonly bulk: number;
  stop(): Promise<void>;
}

/** What a case gets: the suite's server, a follower that is stopped for it, and names that no other case uses. */
export interface CaseContext {
  readonly harness: RegistryHarness;
  follow(): Follower;
  name(text: string): string;
  /** Says in the report that this server cannot be made to do it. */
  skip(why: string): void;
}

export type RegistryCase = (what: string, run: (context: CaseContext) => Promise<void>) => void;
