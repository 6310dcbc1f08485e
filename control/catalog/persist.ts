import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { ClusterId, ServiceKey, ServiceRecord, SourceId } from '../../core/model/index.ts';
import { clusterId, serviceKey, sourceId } from '../../core/model/index.ts';
import type { Store } from '../../core/store.ts';
import type { GatewayRecord } from './view.ts';

/** What the catalog needs of a Store. */
export type RecordStore = Pick<Store, 'list' | 'txn'>;

/** Last-known state is a cache of what sources said: one key a service, so that a change writes what it touches. */
const persistPrefix = 'catalog/';

export interface PersistedShard {
  readonly cluster: ClusterId;
  readonly source: SourceId;
  /** Unix ms when the source was last known to be current. */
  readonly currentAt: number;
  readonly services: readonly ServiceRecord[];
}

export interface Persisted {
  readonly shards: readonly PersistedShard[];
  readonly gateways: ReadonlyMap<ClusterId, readonly GatewayRecord[]>;
  /** Every key found. */
  readonly keys: readonly string[];
  /** One line for each value that could not be read; the rest is loaded all the same. */
  readonly problems: readonly string[];
}

/** Sources hold slashes and whatever their operators like; a key's parts must not. */
const part = encodeURIComponent;

export function markKey(cluster: ClusterId, source: SourceId): string {
  return `${persistPrefix}shards/${part(cluster)}/${part(source)}`;
}

export function recordKey(cluster: ClusterId, source: SourceId, service: ServiceKey): string {
  return `${persistPrefix}records/${part(cluster)}/${part(source)}/${service}`;
}

export function gatewaysKey(cluster: ClusterId): string {
  return `${persistPrefix}gateways/${part(cluster)}`;
}

/** Which cluster and source a key belongs to; undefined for what this version does not write. */
export function ownerOf(key: string): { readonly cluster: ClusterId; readonly source?: SourceId } | undefined {
  const [kind, cluster, source] = key.slice(persistPrefix.length).split('/');
  if (cluster === undefined) return undefined;
  if (kind === 'gateways') return { cluster: clusterId(decodeURIComponent(cluster)) };
  if ((kind !== 'shards' && kind !== 'records') || source === undefined) return undefined;
  return { cluster: clusterId(decodeURIComponent(cluster)), source: sourceId(decodeURIComponent(source)) };
}

const plain = 0;
const deflated = 1;

/** JSON behind one byte that says how; large services are deflated, as a store limits what one write may hold. */
export function encodeValue(value: unknown): Uint8Array {
  const json = Buffer.from(JSON.stringify(value));
  const big = json.length > 16_384;
  return Buffer.concat([Buffer.from([big ? deflated : plain]), big ? deflateRawSync(json, { level: 1 }) : json]);
}

function decodeValue(bytes: Uint8Array): unknown {
  const body = bytes.subarray(1);
  const json = bytes[0] === deflated ? inflateRawSync(body, { maxOutputLength: 256 * 1024 * 1024 }) : body;
  return JSON.parse(Buffer.from(json).toString('utf8'));
}

/** Everything under the prefix. Rejects as the store does. */
export async function loadPersisted(store: RecordStore): Promise<Persisted> {
  const { entries } = await store.list(persistPrefix);
  const marks = new Map<string, { cluster: ClusterId; source: SourceId; currentAt: number }>();
  const records = new Map<string, ServiceRecord[]>();
  const gateways = new Map<ClusterId, readonly GatewayRecord[]>();
  const problems: string[] = [];
  for (const { key, value } of entries) {
    const owner = ownerOf(key);
    if (owner === undefined) continue;
    try {
      const decoded = decodeValue(value);
      if (owner.source === undefined) gateways.set(owner.cluster, asGateways(decoded));
      else if (key.startsWith(`${persistPrefix}shards/`)) {
        marks.set(key, { cluster: owner.cluster, source: owner.source, currentAt: asMark(decoded) });
      } else {
        const mark = markKey(owner.cluster, owner.source);
        const list = records.get(mark) ?? [];
        list.push(asRecord(decoded, key));
        records.set(mark, list);
      }
    } catch (error) {
      problems.push(`the persisted ${key} cannot be read and is left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  // Records without their mark are what a crash left of a shard that was being removed.
  const shards = [...marks].map(([mark, m]) => ({ ...m, services: records.get(mark) ?? [] }));
  return { shards, gateways, keys: entries.map((e) => e.key), problems };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asMark(value: unknown): number {
  if (!isObject(value) || typeof value['currentAt'] !== 'number') throw new Error('not a shard mark');
  return value['currentAt'];
}

function asRecord(value: unknown, key: string): ServiceRecord {
  if (!isObject(value) || !Array.isArray(value['ports']) || !Array.isArray(value['endpoints']) || !isObject(value['labels'])) {
    throw new Error('not a service record');
  }
  const record = value as unknown as ServiceRecord;
  if (!key.endsWith(`/${serviceKey(record.namespace, record.name)}`)) throw new Error('its name is not that of its key');
  return record;
}

function asGateways(value: unknown): readonly GatewayRecord[] {
  if (!Array.isArray(value) || !value.every((g) => isObject(g) && Array.isArray(g['addresses']))) throw new Error('not a list of gateways');
  return value as readonly GatewayRecord[];
}
