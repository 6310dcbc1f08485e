import type { ServiceKey, ServiceRecord } from '../../core/model/index.ts';
import { serviceKey } from '../../core/model/index.ts';
import type { RegistryEvent } from '../../core/registry/index.ts';
import { PersistentMap } from './persistent-map.ts';
import type { ServicesChange, Shard } from './shard.ts';
import { editServices, replaceServices } from './shard.ts';

/** What was read from disk stands until the source's first full snapshot. Too late once the source has spoken. */
export function restored(shard: Shard, services: readonly ServiceRecord[], ageMs: number, at: number): Shard {
  if (shard.epoch > 0 || shard.state !== 'unknown') return shard;
  const change = replaceServices(shard, services, false);
  return { ...shard, ...contents(change), state: 'stale', restored: true, since: at, dataAt: at - ageMs };
}

/** `local`: the source's own watch tells when it is lost, so until then its data was current; ages of services are kept here. */
export function observed(shard: Shard, event: RegistryEvent, at: number, local: boolean): Shard {
  switch (event.kind) {
    case 'snapshot': {
      const next = live(shard, replaceServices(shard, event.services, local), event.cursor, at);
      return { ...next, restored: false, epoch: shard.epoch + 1 };
    }
    case 'upsert': {
      const key = serviceKey(event.service.namespace, event.service.name);
      return delta(shard, new Map([[key, event.service]]), event.cursor, at, local);
    }
    case 'delete':
      return delta(shard, new Map([[event.id, undefined]]), event.cursor, at, local);
    case 'stale':
      return lost(shard, event.error.message, at, local);
  }
}

/** A delta needs a base: before the first snapshot, and while a lost source has not resynced, it says nothing of the rest. */
function delta(shard: Shard, edits: ReadonlyMap<ServiceKey, ServiceRecord | undefined>, cursor: string, at: number, local: boolean): Shard {
  if (shard.state !== 'live') return shard;
  return live(shard, editServices(shard, edits, local), cursor, at);
}

function live(shard: Shard, change: ServicesChange, cursor: string, at: number): Shard {
  const { error: _, ...rest } = shard;
  const since = shard.state === 'live' ? shard.since : at;
  return {
    ...rest,
    ...contents(change),
    state: 'live',
    since,
    cursor,
    dataAt: at,
    revision: shard.revision + (change.changed.size > 0 ? 1 : 0),
  };
}

function contents(change: ServicesChange): Pick<Shard, 'services' | 'refused' | 'endpoints'> {
  return { services: change.services, refused: change.refused, endpoints: change.endpoints };
}

/** Keep the last good records, ranked last. A source that never synced has none: it stays unknown, and says why. */
export function lost(shard: Shard, reason: string, at: number, local: boolean): Shard {
  if (shard.state !== 'live') return shard.error === reason ? shard : { ...shard, error: reason };
  return { ...shard, state: 'stale', since: at, error: reason, ...(local ? { dataAt: at } : {}) };
}

/** A peer says how old its own source's data is. What was only read from disk is not confirmed by that. */
export function confirmed(shard: Shard, ageMs: number, at: number): Shard {
  if (shard.epoch === 0 || shard.restored || shard.state === 'unknown' || shard.state === 'expired') return shard;
  const { error: _, ...rest } = shard;
  return { ...rest, state: 'live', since: shard.state === 'live' ? shard.since : at, dataAt: at - ageMs };
}

/** `expireAfterMs` 0: never. */
export function expired(shard: Shard, at: number, expireAfterMs: number): Shard {
  if (shard.state !== 'stale' || expireAfterMs === 0 || at - shard.since < expireAfterMs) return shard;
  return {
    ...shard,
    state: 'expired',
    since: at,
    services: PersistentMap.empty(),
    refused: PersistentMap.empty(),
    endpoints: 0,
    restored: false,
  };
}
