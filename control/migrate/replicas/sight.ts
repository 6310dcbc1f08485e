import type { CallerCounts, Observation, SideCounts } from '../contract.ts';

/** What one replica of a control plane knows of one migration: by the clients that are connected to it, and by no others. */
export interface Sight {
  /** Sums since it began to look. */
  readonly from: SideCounts;
  readonly to: SideCounts;
  readonly callers: readonly CallerCounts[];
  readonly proxies: Omit<Observation['proxies'], 'missing' | 'known'> & {
    /** Callers that have reported in time: whom another replica misses may be here. */
    readonly heard: readonly string[];
    /** Recorded callers that have an xDS stream here. Absent: a version before this one does not say. */
    readonly connected?: readonly string[];
  };
}

/** By NAMESPACE/NAME of the migration. */
export type Sights = ReadonlyMap<string, Sight>;

interface WrittenSide extends Omit<SideCounts, 'latency'> {
  readonly latency: readonly (readonly [bucket: number, count: number])[];
}

interface Written extends Omit<Sight, 'from' | 'to'> {
  readonly from: WrittenSide;
  readonly to: WrittenSide;
}

interface Document {
  readonly version: 1;
  readonly sights: Readonly<Record<string, Written>>;
}

/** Names and callers of each migration that are told to others: what a transaction of the store can bear. */
const mostNames = 2_000;
/** Callers of each that are recorded, which every replica tells of. */
export const mostRecorded = 1_000;

export function encodeSights(sights: Sights): Uint8Array {
  const written = [...sights].map(([name, { from, to, callers, proxies }]) => [
    name,
    {
      from: { ...from, latency: [...from.latency] },
      to: { ...to, latency: [...to.latency] },
      callers: callers.slice(0, mostNames),
      proxies: {
        callers: proxies.callers,
        heard: proxies.heard.slice(0, mostNames),
        ...(proxies.connected === undefined ? {} : { connected: proxies.connected.slice(0, mostNames) }),
        silent: proxies.silent.slice(0, mostNames),
        behind: proxies.behind.slice(0, mostNames),
      },
    } satisfies Written,
  ]);
  return Buffer.from(JSON.stringify({ version: 1, sights: Object.fromEntries(written) } satisfies Document));
}

/** Of another version, or no such document: nothing is known from it. */
export function decodeSights(bytes: Uint8Array): Sights | undefined {
  let document: Document;
  try {
    document = JSON.parse(Buffer.from(bytes).toString('utf8')) as Document;
  } catch {
    return undefined;
  }
  if (document?.version !== 1) return undefined;
  const read = (side: WrittenSide): SideCounts => ({ ...side, latency: new Map(side.latency) });
  return new Map(
    Object.entries(document.sights).map(([name, { from, to, ...rest }]) => [name, { ...rest, from: read(from), to: read(to) }]),
  );
}
