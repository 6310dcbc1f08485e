import { join } from 'node:path';
import { Counter, type Registry } from 'prom-client';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { JwtKey } from '../../core/pki/index.ts';
import type { Store } from '../../core/store.ts';
import { JwtIssuance, JwtKeyRing, type Ledger, type OfferedJwtKey, PeerJwtKeys } from '../ca/index.ts';
import type { Refusals } from '../telemetry/index.ts';
import type { Attestors } from './attestors.ts';

const maintainEveryMs = 60_000;

export interface JwtHomeOptions {
  readonly mesh: MeshSpec;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly refusals: Refusals;
  readonly registry: Registry;
  /** Peer → namespaces whose identities it may present here. Asked late. */
  readonly namespaces: () => ReadonlyMap<string, readonly string[]>;
}

/** JWT-SVIDs: by which keys they are signed here, by which they are verified, and who gets one. */
export class JwtHome {
  readonly ring: JwtKeyRing;
  readonly #options: JwtHomeOptions;
  readonly #peers: PeerJwtKeys;
  readonly #listeners = new Set<() => void>();
  readonly #signed: Counter;

  private constructor(options: JwtHomeOptions, ring: JwtKeyRing, peers: PeerJwtKeys) {
    this.#options = options;
    this.ring = ring;
    this.#peers = peers;
    for (const changing of [ring, peers]) changing.subscribe(() => this.peersChanged());
    this.#signed = new Counter({
      name: 'isthmus_jwt_svids_signed_total',
      help: 'JWT-SVIDs that were signed.',
      registers: [options.registry],
    });
  }

  static async open(options: JwtHomeOptions): Promise<JwtHome> {
    const { mesh, store, clock, log } = options;
    const { cluster } = mesh;
    const ring = await JwtKeyRing.open({ dir: join(mesh.stateDir, 'ca'), cluster, clock, log });
    return new JwtHome(options, ring, await PeerJwtKeys.open({ cluster, store, clock, log }));
  }

  /** Of this cluster and its peers. */
  keys(): readonly JwtKey[] {
    const namespaces = this.#options.namespaces();
    return [...this.ring.published(), ...this.#peers.keys((cluster) => namespaces.get(cluster) ?? [])];
  }

  /** See PeerJwtKeys.set. */
  setPeer(cluster: string, offered: readonly OfferedJwtKey[] | undefined): readonly string[] {
    return this.#peers.set(cluster, offered);
  }

  /** The set of peers, or what they may speak for, has changed. */
  peersChanged(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** After each change of the keys. Returns its undoing. */
  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  issuance(ledger: Ledger, attestors: Attestors): JwtIssuance {
    const { mesh, clock, log, refusals } = this.#options;
    const { cluster, trustDomain } = mesh;
    const onSigned = () => this.#signed.inc();
    return new JwtIssuance({ cluster, trustDomain, keys: this.ring, ledger, attestors, clock, log, refusals, onSigned });
  }

  /** Makes keys in time, until `signal` aborts. Failures are logged and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    try {
      for (;;) {
        await clock.sleep(maintainEveryMs, signal);
        await this.ring.maintain().catch((error: unknown) => log.error({ error }, 'keys for JWT-SVIDs could not be kept'));
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    } finally {
      await this.#peers.written();
    }
  }
}
