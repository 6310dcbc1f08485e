import { MeshError } from '../../core/errors.ts';
import { clusterId, isDnsLabel } from '../../core/model/index.ts';
import type { Store, StoreOp } from '../../core/store.ts';
import type { PeerRecord } from './contract.ts';

const peerPrefix = 'peering/peers/';
const epochKey = 'peering/epoch';
const mostAddresses = 16;

export const peerKey = (cluster: string): string => `${peerPrefix}${cluster}`;

export function putJson(key: string, value: unknown): StoreOp {
  return { op: 'put', key, value: Buffer.from(JSON.stringify(value)) };
}

/** MeshError INTERNAL for what this program did not write. */
export function readJson<T>(key: string, bytes: Uint8Array): T {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as T;
  } catch (error) {
    throw new MeshError('INTERNAL', `the stored ${key} is unreadable: restore the store from a backup`, { cause: error });
  }
}

export async function listPeers(store: Store): Promise<PeerRecord[]> {
  const { entries } = await store.list(peerPrefix);
  return entries.map((entry) => readJson<PeerRecord>(entry.key, entry.value)).filter((peer) => isDnsLabel(clusterId(peer.cluster)));
}

/** The newest first, each once, as many as are worth trying. */
export function mergeAddresses(newest: readonly string[], older: readonly string[]): string[] {
  return [...new Set([...newest, ...older])].filter((a) => a.length <= 261 && /^.+:[0-9]{1,5}$/.test(a)).slice(0, mostAddresses);
}

/** Remembers where a peer says it can be dialled. False when it is not a peer (any more). */
export async function updateAddresses(store: Store, cluster: string, addresses: readonly string[]): Promise<PeerRecord | undefined> {
  const key = peerKey(cluster);
  for (;;) {
    const entry = await store.get(key);
    if (entry === undefined) return undefined;
    const known = readJson<PeerRecord>(key, entry.value);
    const next: PeerRecord = { ...known, addresses: mergeAddresses(addresses, known.addresses) };
    if (JSON.stringify(next.addresses) === JSON.stringify(known.addresses)) return known;
    const { succeeded } = await store.txn({ if: [{ key, modRevision: entry.modRevision }], then: [putJson(key, next)] });
    if (succeeded) return next;
  }
}

/** The epoch of what this cluster exports; whoever restores a backup deletes the key, so that peers start over. */
export async function exportEpoch(store: Store, make: () => string): Promise<string> {
  for (;;) {
    const entry = await store.get(epochKey);
    if (entry !== undefined) return Buffer.from(entry.value).toString('utf8');
    await store.txn({
      if: [{ key: epochKey, modRevision: 0 }],
      then: [{ op: 'put', key: epochKey, value: Buffer.from(make()) }],
    });
  }
}

/** A new epoch from the next start on: after a restore, when this cluster may export less than its peers remember. */
export async function forgetExportEpoch(store: Store): Promise<void> {
  await store.txn({ if: [], then: [{ op: 'delete', key: epochKey }] });
}

/** As joining does, or a Peer object in the configuration: a peer that is known already keeps what it has. */
export async function putPeer(store: Store, record: PeerRecord): Promise<PeerRecord> {
  const key = peerKey(record.cluster);
  const created = await store.txn({ if: [{ key, modRevision: 0 }], then: [putJson(key, record)] });
  if (created.succeeded) return record;
  return (await updateAddresses(store, record.cluster, record.addresses)) ?? record;
}
