import { type Protocol, type ServiceKey, splitServiceKey } from '../../core/model/index.ts';
import type { PublishedService } from '../../core/registry/index.ts';
import type { CatalogView, MergedService } from '../catalog/index.ts';

/** One (service, port) that callers without a sidecar find at a gateway port. Persisted: applications remember ports. */
export interface PortRecord {
  readonly service: ServiceKey;
  readonly port: number;
  readonly name: string;
  readonly protocol: Protocol;
  readonly gatewayPort: number;
  /** Registries that it was published in. */
  readonly publishers: readonly string[];
}

/** By `NAMESPACE/NAME:PORT`. */
export type PortTable = ReadonlyMap<string, PortRecord>;

/** By gateway port: Unix ms when it was freed, and the `NAMESPACE/NAME:PORT` that had it, which gets it back when it returns. */
export type FreedPorts = ReadonlyMap<number, { readonly at: number; readonly key: string }>;

export interface PublisherPlace {
  readonly id: string;
  /** Of its registry: whose gateways its callers reach. */
  readonly network: string;
}

export interface SwitchedPlace {
  readonly service: ServiceKey;
  readonly registry: string;
  /** Of that registry. */
  readonly network: string;
}

export interface PublishingInput {
  readonly view: CatalogView;
  readonly publishers: readonly PublisherPlace[];
  /** Services whose own name in a registry leads to gateways, or is to: they have ports whoever else knows them. Default: none. */
  readonly names?: readonly SwitchedPlace[];
  readonly table: PortTable;
  readonly freed: FreedPorts;
  /** Inclusive. */
  readonly range: readonly [number, number];
  readonly now: number;
}

export interface PublishingPlan {
  readonly table: PortTable;
  readonly freed: FreedPorts;
  /** Services that got no port, as the range is used up. */
  readonly exhausted: readonly string[];
  /** By publisher id: exactly what its registry should hold. */
  readonly published: ReadonlyMap<string, readonly PublishedService[]>;
  /** By `switchedKey`: what stands under their own names. Without a port there is none. */
  readonly switched: ReadonlyMap<string, PublishedService>;
}

/** A freed gateway port is not given to another service for this long, ms: callers without a sidecar cache addresses. */
const portRestMs = 24 * 3_600_000;

/**
 * Which services are published where and at which gateway port. Pure. While a source has not said anything since this control plane
 * started, nothing is withdrawn: what is missing from the view may only not have been heard of yet.
 */
export function planPublishing(input: PublishingInput): PublishingPlan {
  const wanted = wantedPorts(input);
  const settled = input.view.sources.every((s) => s.state !== 'unknown' && !s.restored);
  const table = new Map<string, PortRecord>();
  const freed = new Map([...input.freed].filter(([, { at }]) => input.now - at < portRestMs));
  for (const [key, record] of input.table) {
    const now = wanted.get(key);
    if (now !== undefined) table.set(key, { ...now, gatewayPort: record.gatewayPort });
    else if (settled) freed.set(record.gatewayPort, { at: input.now, key });
    else table.set(key, record);
  }
  for (const [gatewayPort, { key }] of freed) {
    const back = wanted.get(key);
    if (back === undefined || table.has(key) || gatewayPort < input.range[0] || gatewayPort > input.range[1]) continue;
    freed.delete(gatewayPort);
    table.set(key, { ...back, gatewayPort });
  }
  const used = new Set([...[...table.values()].map((r) => r.gatewayPort), ...freed.keys()]);
  const exhausted: string[] = [];
  let next = input.range[0];
  for (const [key, candidate] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (table.has(key)) continue;
    while (used.has(next)) next += 1;
    if (next > input.range[1]) {
      exhausted.push(key);
      continue;
    }
    used.add(next);
    table.set(key, { ...candidate, gatewayPort: next });
  }
  return { table, freed, exhausted, published: publishedBy(input, table), switched: switchedBy(input, table) };
}

export function switchedKey({ registry, service }: Pick<SwitchedPlace, 'registry' | 'service'>): string {
  return `${registry} ${service}`;
}

/** Imported services, those of other registries of this cluster wherever a registry is published to, and those whose own name is switched. */
function wantedPorts({ view, publishers, names = [] }: PublishingInput): Map<string, PortRecord> {
  const wanted = new Map<string, PortRecord>();
  const named = new Set(names.map(({ service }) => service));
  for (const service of view.services.values()) {
    const places = publishers.filter((p) => !isNative(service, p.id, view)).map((p) => p.id);
    const imported = service.contributions.some((c) => c.cluster !== view.cluster);
    if (!imported && places.length === 0 && !named.has(service.key)) continue;
    for (const { port, name, protocol } of service.ports) {
      wanted.set(`${service.key}:${port}`, { service: service.key, port, name, protocol, gatewayPort: 0, publishers: places });
    }
  }
  return wanted;
}

/** The registry knows the service itself: its callers have the native name. */
function isNative(service: MergedService, publisher: string, view: CatalogView): boolean {
  return service.contributions.some((c) => c.cluster === view.cluster && c.source === publisher);
}

function switchedBy({ view, names = [] }: PublishingInput, table: PortTable): Map<string, PublishedService> {
  return new Map(
    names.flatMap((place) => {
      const records = [...table.values()].filter(({ service }) => service === place.service);
      if (records.length === 0) return [];
      const service = asPublished(place.service, records, gatewayAddressesOf(view, place.network));
      return [[switchedKey(place), service] as const];
    }),
  );
}

function asPublished(key: ServiceKey, records: readonly PortRecord[], gatewayAddresses: readonly string[]): PublishedService {
  const ports = [...records].sort((a, b) => a.port - b.port);
  return {
    ...splitServiceKey(key),
    ports: ports.map(({ name, port, protocol, gatewayPort }) => ({ name, port, protocol, gatewayPort })),
    gatewayAddresses,
  };
}

function publishedBy({ view, publishers }: PublishingInput, table: PortTable): Map<string, readonly PublishedService[]> {
  return new Map(
    publishers.map(({ id, network }) => {
      const gatewayAddresses = gatewayAddressesOf(view, network);
      const services = new Map<ServiceKey, PortRecord[]>();
      for (const record of table.values()) {
        if (record.publishers.includes(id)) services.set(record.service, [...(services.get(record.service) ?? []), record]);
      }
      const list = [...services].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, ports]) => asPublished(key, ports, gatewayAddresses));
      return [id, list];
    }),
  );
}

/** Addresses of this cluster's gateways on a network: healthy ones, or all when none is known to be. */
function gatewayAddressesOf(view: CatalogView, network: string): readonly string[] {
  const all = [...view.gateways]
    .flatMap(([n, list]) => (n === network ? list : []))
    .filter((g) => g.cluster === view.cluster && !g.draining);
  const healthy = all.filter((g) => g.healthy);
  return [...new Set((healthy.length > 0 ? healthy : all).flatMap((g) => g.addresses))].sort();
}
