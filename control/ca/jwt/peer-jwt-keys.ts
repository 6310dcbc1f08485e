import type { Clock } from '../../../core/clock.ts';
import { keyIdOf } from '../../../core/jwt/index.ts';
import type { Log } from '../../../core/log.ts';
import type { JwtKey } from '../../../core/pki/index.ts';
import type { Store } from '../../../core/store.ts';
import { decodeRecord, putRecord } from '../record.ts';

/** As a peer says it of its own. */
export interface OfferedJwtKey {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  /** Unix ms. */
  readonly notAfterMs: number;
}

export interface PeerJwtKeysOptions {
  readonly cluster: string;
  readonly store: Pick<Store, 'list' | 'txn'>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Kept {
  readonly keys: readonly { readonly keyId: string; readonly publicKey: string; readonly notAfterMs: number }[];
}

const prefix = 'ca/jwt-peers/';
const mostOfPeer = 8;

/**
 * The keys by which peers sign JWT-SVIDs: each cluster's are what its own stream says, which its certificate authenticates, and nobody says another's. Kept in the store,
 * so that a restart while a peer is away does not make its tokens strangers'.
 */
export class PeerJwtKeys {
  readonly #options: PeerJwtKeysOptions;
  readonly #listeners = new Set<() => void>();
  readonly #keys: Map<string, readonly OfferedJwtKey[]>;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(options: PeerJwtKeysOptions, keys: Map<string, readonly OfferedJwtKey[]>) {
    this.#options = options;
    this.#keys = keys;
  }

  static async open(options: PeerJwtKeysOptions): Promise<PeerJwtKeys> {
    const { entries } = await options.store.list(prefix);
    const kept = entries.map((entry) => [entry.key.slice(prefix.length), keysOf(decodeRecord<Kept>(entry))] as const);
    return new PeerJwtKeys(options, new Map(kept));
  }

  /** Replaces what a peer says; undefined: it is a peer no more. Returns why keys do not count. */
  set(cluster: string, offered: readonly OfferedJwtKey[] | undefined): readonly string[] {
    const { cluster: own } = this.#options;
    if (cluster === own) return ['a peer cannot speak for this cluster'];
    const faults = (offered ?? []).map(keyFault);
    const good = (offered ?? []).filter((_, i) => faults[i] === undefined).slice(0, mostOfPeer);
    const known = this.#keys.get(cluster) ?? [];
    const stays = offered === undefined ? known.length === 0 : JSON.stringify(recordOf(known)) === JSON.stringify(recordOf(good));
    if (!stays) this.#replace(cluster, good);
    const many = (offered?.length ?? 0) > mostOfPeer ? [`more than ${mostOfPeer} keys for JWT-SVIDs`] : [];
    return [...faults.flatMap((fault) => fault ?? []), ...many];
  }

  /** In their times. `namespacesOf`: whose identities that cluster may speak for here; none: none of its keys counts. */
  keys(namespacesOf: (cluster: string) => readonly string[]): readonly JwtKey[] {
    const now = this.#options.clock.now();
    return [...this.#keys]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([cluster, keys]) => {
        const namespaces = namespacesOf(cluster);
        if (namespaces.length === 0) return [];
        return keys.filter(({ notAfterMs }) => notAfterMs > now).map((key) => ({ ...key, cluster, namespaces }));
      });
  }

  /** After each change. Returns its undoing. */
  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** Resolves when what was set is in the store, or was logged as not. */
  async written(): Promise<void> {
    await this.#writing;
  }

  #replace(cluster: string, keys: readonly OfferedJwtKey[]): void {
    const { store, log } = this.#options;
    if (keys.length === 0) this.#keys.delete(cluster);
    else this.#keys.set(cluster, keys);
    const key = prefix + cluster;
    const then = keys.length === 0 ? [{ op: 'delete' as const, key }] : [putRecord(key, recordOf(keys))];
    this.#writing = this.#writing
      .then(() => store.txn({ if: [], then }))
      .catch((error: unknown) => log.error({ error, peer: cluster }, 'keys of a peer for JWT-SVIDs could not be stored'));
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Its name has to be what it is, so that no cluster's key passes for another's. */
function keyFault({ keyId, publicKey, notAfterMs }: OfferedJwtKey): string | undefined {
  const named = keyIdOf(publicKey);
  if (named === undefined) return 'a key for JWT-SVIDs is no P-256 key';
  if (named !== keyId) return 'the name of a key for JWT-SVIDs is not its thumbprint';
  return notAfterMs > 0 ? undefined : 'a key for JWT-SVIDs says no end';
}

function recordOf(keys: readonly OfferedJwtKey[]): Kept {
  return {
    keys: keys.map(({ keyId, publicKey, notAfterMs }) => ({ keyId, publicKey: Buffer.from(publicKey).toString('base64'), notAfterMs })),
  };
}

function keysOf({ keys }: Kept): readonly OfferedJwtKey[] {
  return keys.map(({ keyId, publicKey, notAfterMs }) => ({ keyId, publicKey: Buffer.from(publicKey, 'base64'), notAfterMs }));
}
