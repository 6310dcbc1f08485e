/**
 * Loopback addresses for mesh services, out of 127.64.0.0/10. A service keeps its address over restarts, and a freed one
 * is not given to another service for 24 h, because applications and resolvers cache addresses longer than they should.
 */

export interface AddressTable {
  readonly assigned: ReadonlyMap<string, string>;
  readonly freed: ReadonlyMap<string, FreedAddress>;
}

export interface FreedAddress {
  /** Unix ms. */
  readonly at: number;
  /** Whose it was; empty where that is not known. */
  readonly host: string;
}

export const emptyAddressTable: AddressTable = { assigned: new Map(), freed: new Map() };

/** How long a freed address rests, ms. */
export const restMs = 24 * 3_600_000;

const base = (127 << 24) | (64 << 16);
const size = 1 << 22;

/**
 * Pure. Keeps what is assigned, frees what `hosts` no longer names, and gives each new host the address that it had until it was freed, or
 * the next one that is neither assigned nor resting. `exhausted` lists hosts that got none.
 */
export function allocateAddresses(
  table: AddressTable,
  hosts: readonly string[],
  nowMs: number,
): { readonly table: AddressTable; readonly exhausted: readonly string[] } {
  const wanted = new Set(hosts);
  const assigned = new Map([...table.assigned].filter(([host]) => wanted.has(host)));
  const freed = new Map([...table.freed].filter(([, { at }]) => nowMs - at < restMs));
  for (const [host, address] of table.assigned) if (!wanted.has(host)) freed.set(address, { at: nowMs, host });
  for (const [address, { host }] of [...freed]) {
    if (!wanted.has(host) || assigned.has(host)) continue;
    assigned.set(host, address);
    freed.delete(address);
  }
  const used = new Set([...assigned.values(), ...freed.keys()]);
  const exhausted: string[] = [];
  let cursor = 0;
  for (const host of [...wanted].sort()) {
    if (assigned.has(host)) continue;
    const free = nextFree(used, cursor);
    if (free === undefined) {
      exhausted.push(host);
      continue;
    }
    cursor = free.offset;
    used.add(free.address);
    assigned.set(host, free.address);
  }
  return { table: { assigned, freed }, exhausted };
}

function nextFree(used: ReadonlySet<string>, after: number): { readonly address: string; readonly offset: number } | undefined {
  for (let offset = after + 1; offset < size - 1; offset++) {
    const address = format(base + offset);
    if (!used.has(address)) return { address, offset };
  }
  return undefined;
}

function format(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}
