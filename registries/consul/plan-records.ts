import { isIP } from 'node:net';
import { deepEqual, ownerMetaKey, type PublishedService, publishedName } from '../../core/registry/index.ts';
import { isNativeRecord } from './native-marks.ts';
import type { CatalogEntry, NodeServices } from './schema.ts';

/** One service instance as Isthmus writes it into Consul's catalog. */
export interface ConsulRecord {
  readonly id: string;
  readonly service: string;
  readonly address: string;
  readonly port: number;
  /** The port's name, so that `PORT.NAME-mesh.service.consul` finds one port of several. */
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
}

export interface RecordPlan {
  readonly write: readonly ConsulRecord[];
  /** Ids of owned instances that are wanted no more. */
  readonly remove: readonly string[];
  readonly conflicts: readonly string[];
}

export interface PlannedRecords {
  readonly records: readonly ConsulRecord[];
  readonly conflicts: readonly string[];
}

/** One instance per service port and gateway address. Of two services that would share a name, the first namespace has it. Pure. */
export function buildRecords(services: readonly PublishedService[], owner: string): PlannedRecords {
  const records: ConsulRecord[] = [];
  const conflicts: string[] = [];
  const bearers = new Map<string, string>();
  const ordered = [...services].sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
  for (const service of ordered) {
    const name = publishedName(service);
    const key = `${service.namespace}/${service.name}`;
    const bearer = bearers.get(name);
    if (name.length > 63) conflicts.push(`${key}: "${name}" is longer than a DNS label: rename the service where it is exported`);
    else if (bearer !== undefined) conflicts.push(`${key}: ${bearer} is published as ${name} already: rename one where it is exported`);
    else {
      bearers.set(name, key);
      records.push(...recordsOf(service, name, owner));
    }
  }
  return { records, conflicts };
}

function recordsOf(service: PublishedService, name: string, owner: string): ConsulRecord[] {
  const addresses = [...new Set(service.gatewayAddresses)].filter((a) => isIP(a) !== 0).sort();
  return service.ports.flatMap((port) =>
    addresses.map((address) => ({
      id: `isthmus:${service.namespace}:${service.name}:${port.port}:${address}`,
      service: name,
      address,
      port: port.gatewayPort,
      tags: [port.name],
      meta: {
        [ownerMetaKey]: owner,
        'isthmus-service': `${service.namespace}/${service.name}`,
        'isthmus-port': String(port.port),
        'isthmus-protocol': port.protocol,
      },
    })),
  );
}

/**
 * What to write and remove so that the node holds exactly `wanted` of this owner. `holders`: who else is in the catalog under
 * each wanted name; the oldest registration bears it, so two writers never take turns. Pure.
 */
export function planRecords(
  wanted: PlannedRecords,
  node: NodeServices,
  holders: ReadonlyMap<string, readonly CatalogEntry[]>,
  owner: string,
): RecordPlan {
  const owned = Object.values(node?.Services ?? {}).filter((s) => s.Meta?.[ownerMetaKey] === owner && !isNativeRecord(s.Meta));
  const conflicts = [...wanted.conflicts];
  const lost = new Set<string>();
  for (const [name, entries] of holders) {
    const isMine = (e: CatalogEntry) => e.ServiceMeta?.[ownerMetaKey] === owner;
    const foreign = entries.filter((e) => !isMine(e)).sort((a, b) => a.CreateIndex - b.CreateIndex)[0];
    if (foreign === undefined) continue;
    const first = Math.min(...entries.filter(isMine).map((e) => e.CreateIndex));
    if (first > foreign.CreateIndex) lost.add(name);
    const holder = foreign.ServiceMeta?.[ownerMetaKey];
    const who = holder === undefined ? `node ${foreign.Node}` : `Isthmus of ${holder}`;
    conflicts.push(
      first > foreign.CreateIndex
        ? `${name}: registered by ${who} (${foreign.ServiceID}): not published; deregister that or rename the service`
        : `${name}: also registered by ${who} (${foreign.ServiceID}): callers get both; deregister that one`,
    );
  }
  const records = wanted.records.filter((r) => !lost.has(r.service));
  const ids = new Set(records.map((r) => r.id));
  return {
    write: records.filter((r) => !isWritten(r, node)),
    remove: owned.map((s) => s.ID).filter((id) => !ids.has(id)),
    conflicts,
  };
}

/** Whether the node holds it, field by field. */
export function isWritten(record: ConsulRecord, node: NodeServices): boolean {
  const there = node?.Services?.[record.id];
  if (there === undefined) return false;
  const { Service, Address, Port, Tags, Meta } = there;
  return (
    Service === record.service &&
    Address === record.address &&
    Port === record.port &&
    deepEqual(Tags ?? [], record.tags) &&
    deepEqual(Meta ?? {}, record.meta)
  );
}
