import { type ServiceKey, type ServiceRecord, serviceKey } from '../model/index.ts';
import type { RegistryEvent } from './contract.ts';

/**
 * Upserts and deletes that lead from one list of services to another; nothing for services that are deeply equal, whatever
 * the order of keys, ports and endpoints. Deletes come last, so that a service that moved is never nowhere. Pure.
 */
export function diffServices(before: readonly ServiceRecord[], after: readonly ServiceRecord[], cursor: string): RegistryEvent[] {
  const old = byKey(before);
  const now = byKey(after);
  const events: RegistryEvent[] = [];
  for (const [key, service] of now) {
    const previous = old.get(key);
    if (previous === undefined || !sameService(previous, service)) events.push({ kind: 'upsert', service, cursor });
  }
  for (const key of old.keys()) if (!now.has(key)) events.push({ kind: 'delete', id: key, cursor });
  return events;
}

/** Equal but for order: ports by name and endpoints by instance are sets. */
export function sameService(a: ServiceRecord, b: ServiceRecord): boolean {
  return (
    a.namespace === b.namespace &&
    a.name === b.name &&
    a.createdAt === b.createdAt &&
    deepEqual(a.labels, b.labels) &&
    sameSet(a.ports, b.ports, (p) => p.name) &&
    sameSet(a.endpoints, b.endpoints, (e) => e.instance)
  );
}

function byKey(services: readonly ServiceRecord[]): Map<ServiceKey, ServiceRecord> {
  return new Map(services.map((s) => [serviceKey(s.namespace, s.name), s]));
}

function sameSet<T>(a: readonly T[], b: readonly T[], nameOf: (item: T) => string): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  const named = new Map(b.map((item) => [nameOf(item), item]));
  if (named.size !== b.length) return deepEqual(a, b);
  return a.every((item) => deepEqual(item, named.get(nameOf(item))));
}

/** Structural equality of plain data: objects by own keys in any order, arrays in order. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => deepEqual(item, b[i]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && deepEqual(left[key], right[key]));
}
