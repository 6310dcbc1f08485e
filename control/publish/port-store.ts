import type { Store, StoreOp } from '../../core/store.ts';
import type { FreedPorts, PortRecord, PortTable } from './plan-publishing.ts';

const portsPrefix = 'publish/ports/';
const freedPrefix = 'publish/freed/';
/** Writes of one transaction, below etcd's default of 128. */
const batch = 100;

export interface StoredPorts {
  readonly table: PortTable;
  readonly freed: FreedPorts;
}

export async function loadPorts(store: Store): Promise<StoredPorts> {
  const [ports, freed] = await Promise.all([store.list(portsPrefix), store.list(freedPrefix)]);
  const parse = <T>(value: Uint8Array) => JSON.parse(Buffer.from(value).toString('utf8')) as T;
  return {
    table: new Map(ports.entries.map((e) => [e.key.slice(portsPrefix.length), parse<PortRecord>(e.value)])),
    freed: new Map(freed.entries.map((e) => [Number(e.key.slice(freedPrefix.length)), parse<{ at: number; key: string }>(e.value)])),
  };
}

/** Writes what differs; resolves when it is durable. A port is in use only after that. */
export async function savePorts(store: Store, before: StoredPorts, after: StoredPorts): Promise<void> {
  const ops = [...changes(before.table, after.table, portsPrefix), ...changes(textKeys(before.freed), textKeys(after.freed), freedPrefix)];
  for (let at = 0; at < ops.length; at += batch) await store.txn({ if: [], then: ops.slice(at, at + batch) });
}

function changes(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>, prefix: string): StoreOp[] {
  const puts = [...after]
    .filter(([key, value]) => JSON.stringify(before.get(key)) !== JSON.stringify(value))
    .map(([key, value]): StoreOp => ({ op: 'put', key: prefix + key, value: Buffer.from(JSON.stringify(value)) }));
  const deletes = [...before.keys()].filter((key) => !after.has(key)).map((key): StoreOp => ({ op: 'delete', key: prefix + key }));
  return [...puts, ...deletes];
}

function textKeys<T>(map: ReadonlyMap<number, T>): ReadonlyMap<string, T> {
  return new Map([...map].map(([key, value]) => [String(key), value]));
}
