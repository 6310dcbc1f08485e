/**
 * `next`, with every part that says the same as that part of `previous` being the very object of before: so that what reads the
 * result tells by `===` what changed. Plain data alone: arrays, objects, maps, bytes.
 */
export function share<T>(previous: unknown, next: T): T {
  if (Object.is(previous, next)) return next;
  if (typeof previous !== 'object' || previous === null || typeof next !== 'object' || next === null) return next;
  if (Array.isArray(next)) return shareArray(previous, next) as T;
  if (next instanceof Map) return shareMap(previous, next) as T;
  if (next instanceof Uint8Array) {
    return previous instanceof Uint8Array && Buffer.compare(previous, next) === 0 ? (previous as T) : next;
  }
  if (Array.isArray(previous) || previous instanceof Map || previous instanceof Uint8Array) return next;
  return shareObject(previous as Record<string, unknown>, next as Record<string, unknown>) as T;
}

function shareArray(previous: object, next: readonly unknown[]): unknown {
  if (!Array.isArray(previous)) return next;
  const items = next.map((item, i) => share(previous[i], item));
  return items.length === previous.length && items.every((item, i) => item === previous[i]) ? previous : items;
}

function shareMap(previous: object, next: ReadonlyMap<unknown, unknown>): unknown {
  if (!(previous instanceof Map)) return next;
  const entries = [...next].map(([key, value]): [unknown, unknown] => [key, share(previous.get(key), value)]);
  const keys = [...previous.keys()];
  const same = entries.length === keys.length && entries.every(([key, value], i) => key === keys[i] && previous.get(key) === value);
  return same ? previous : new Map(entries);
}

function shareObject(previous: Record<string, unknown>, next: Record<string, unknown>): unknown {
  const entries = Object.entries(next).map(([key, value]): [string, unknown] => [key, share(previous[key], value)]);
  const same =
    entries.length === Object.keys(previous).length &&
    entries.every(([key, value]) => Object.hasOwn(previous, key) && previous[key] === value);
  return same ? previous : Object.fromEntries(entries);
}
