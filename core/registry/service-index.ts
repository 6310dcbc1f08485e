import { type ServiceKey, type ServicePort, type ServiceRecord, serviceKey } from '../model/index.ts';
import type { Violation } from '../validate.ts';
import type { RegistryEvent } from './contract.ts';
import { sameService } from './diff-services.ts';

/** What one native service contributes to one mesh service. */
export interface ServicePart {
  readonly record: ServiceRecord;
  /** The rules name it explicitly (see Named.renamed). */
  readonly renamed: boolean;
}

/**
 * Joins what native services contribute into mesh services, and says what changed. Native services that the rules rename
 * to one mesh name are joined, and at most one that bears the name by itself; others whose native names merely normalise to
 * the same one, or come from several native namespaces, are left out with a violation: balancing across things that only
 * look alike must be asked for. Cost of a change: the mesh services it touches. Single-threaded, no I/O.
 */
export class ServiceIndex {
  readonly #parts = new Map<string, readonly ServicePart[]>();
  readonly #members = new Map<ServiceKey, Set<string>>();
  readonly #published = new Map<ServiceKey, ServiceRecord>();

  /** Replaces what `native` contributes; empty removes it. Returns the deltas, upserts first. */
  set(native: string, parts: readonly ServicePart[], cursor: string): RegistryEvent[] {
    const touched = new Set<ServiceKey>();
    for (const part of this.#parts.get(native) ?? []) {
      const key = keyOf(part.record);
      touched.add(key);
      this.#members.get(key)?.delete(native);
    }
    if (parts.length === 0) this.#parts.delete(native);
    else this.#parts.set(native, parts);
    for (const part of parts) {
      const key = keyOf(part.record);
      touched.add(key);
      const members = this.#members.get(key) ?? new Set();
      this.#members.set(key, members.add(native));
    }
    return this.#publish(touched, cursor);
  }

  natives(): string[] {
    return [...this.#parts.keys()];
  }

  /** Everything, sorted by key. */
  services(): ServiceRecord[] {
    return [...this.#published].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record);
  }

  /** Native services that were left out because their name is taken. */
  violations(): Violation[] {
    return [...this.#members.keys()].sort().flatMap((key) => this.#split(key).violations);
  }

  #publish(touched: ReadonlySet<ServiceKey>, cursor: string): RegistryEvent[] {
    const upserts: RegistryEvent[] = [];
    const deletes: RegistryEvent[] = [];
    for (const key of touched) {
      const record = joinRecords(this.#split(key).joined);
      const previous = this.#published.get(key);
      if (record === undefined) {
        this.#members.delete(key);
        if (this.#published.delete(key)) deletes.push({ kind: 'delete', id: key, cursor });
      } else if (previous === undefined || !sameService(previous, record)) {
        this.#published.set(key, record);
        upserts.push({ kind: 'upsert', service: record, cursor });
      }
    }
    return [...upserts, ...deletes];
  }

  #split(key: ServiceKey): { joined: ServiceRecord[]; violations: Violation[] } {
    const joined: ServiceRecord[] = [];
    const violations: Violation[] = [];
    let bearer: string | undefined;
    for (const { native, record, renamed } of this.#contributions(key)) {
      if (renamed || bearer === undefined || bearer === native) joined.push(record);
      else
        violations.push({
          path: `services["${native}"]`,
          message: `"${bearer}" bears the name ${key} already: rename one in the Registry`,
        });
      if (!renamed) bearer ??= native;
    }
    return { joined, violations };
  }

  /** Oldest first, ties by native name: the same whatever the order in which they were learnt. */
  #contributions(key: ServiceKey): (ServicePart & { readonly native: string })[] {
    return [...(this.#members.get(key) ?? [])]
      .flatMap((native) => (this.#parts.get(native) ?? []).map((part) => ({ ...part, native })))
      .filter((part) => keyOf(part.record) === key)
      .sort((a, b) => a.record.createdAt - b.record.createdAt || (a.native < b.native ? -1 : 1));
  }
}

/** One record of several of one mesh name: labels they agree on; of ports with one name or one number, the first one's meaning. */
function joinRecords(records: readonly ServiceRecord[]): ServiceRecord | undefined {
  const [first, ...rest] = records;
  if (first === undefined || rest.length === 0) return first;
  const labels = Object.entries(first.labels).filter(([k, v]) => rest.every((r) => r.labels[k] === v));
  const ports = new Map<string, ServicePort>();
  const endpoints = records.flatMap((record) => {
    const names = new Map(record.ports.map((port) => [port.name, settlePort(ports, port)]));
    return record.endpoints.map((e) => ({ ...e, ports: renameKeys(e.ports, names) }));
  });
  const createdAt = Math.min(...records.map((r) => r.createdAt));
  return {
    namespace: first.namespace,
    name: first.name,
    ports: [...ports.values()],
    endpoints,
    labels: Object.fromEntries(labels),
    createdAt,
  };
}

/** The name under which `port` stands in `ports`, where it is added if neither its name nor its number is there. */
function settlePort(ports: Map<string, ServicePort>, port: ServicePort): string {
  if (ports.has(port.name)) return port.name;
  const same = [...ports.values()].find((p) => p.port === port.port);
  if (same !== undefined) return same.name;
  ports.set(port.name, port);
  return port.name;
}

function renameKeys(ports: Readonly<Record<string, number>>, names: ReadonlyMap<string, string>): Record<string, number> {
  return Object.fromEntries(Object.entries(ports).map(([name, port]) => [names.get(name) ?? name, port]));
}

function keyOf(record: ServiceRecord): ServiceKey {
  return serviceKey(record.namespace, record.name);
}
