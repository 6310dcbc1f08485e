import type { DrainEndpoint } from '../../../core/admin/index.ts';
import type { DrainMemory, OldPlace, SocketSighting } from './contract.ts';
import type { AddressBook } from './name-callers.ts';
import { placeKey } from './old-places.ts';
import { type OutsideCaller, seenCallers } from './outside-callers.ts';

export interface DrainInput {
  readonly places: readonly OldPlace[];
  readonly sightings: readonly SocketSighting[];
  readonly book: AddressBook;
  readonly memory: DrainMemory;
  /** MigrationSpec.drain.bakeMs. */
  readonly bakeMs: number;
  /** Monotonic ms: what bakes is measured on it. */
  readonly monotonic: number;
  /** Unix ms: `since`, for people. */
  readonly now: number;
}

export interface DrainJudgement {
  readonly endpoints: readonly DrainEndpoint[];
  /** For the next look. */
  readonly memory: DrainMemory;
}

/** An agent that said nothing new for longer sees nothing, ms. */
const silentAfterMs = 20_000;
/** Agents remember callers for 2 min: who looks less often than this may have missed one, ms. */
const longestGapMs = 110_000;
const maxCallers = 64;

type Remembered = DrainMemory extends ReadonlyMap<string, infer T> ? T : never;

/**
 * Which old places may be turned off, by what agents on their machines see of TCP connections. `safe` takes a bake time in which nobody from
 * outside the mesh was seen, and somebody looked all along; where nobody looks it is `unknown`. Pure.
 */
export function judgeDrain(input: DrainInput): DrainJudgement {
  const judged = input.places.map((place) => ({ place, ...(place.gone === true ? judgeGone(place, input) : judgePlace(place, input)) }));
  return {
    endpoints: judged.flatMap(({ endpoint }) => (endpoint === undefined ? [] : [endpoint])),
    memory: new Map(judged.flatMap(({ place, kept }) => (kept === undefined ? [] : [[placeKey(place), kept] as const]))),
  };
}

interface Judged {
  /** Undefined: it is off. */
  readonly endpoint?: DrainEndpoint;
  readonly kept?: Remembered;
}

/** To take a machine out of its registry is how people begin to turn it off: who is connected stays connected. */
function judgeGone(place: OldPlace, input: DrainInput): Judged {
  const judged = judgePlace(place, input);
  const { verdict } = judged.endpoint;
  if (verdict !== 'unknown') {
    const listens = input.sightings.some((each) => concerns(each, place) && isHere(each, place) && each.listening);
    return listens || verdict === 'in-use' ? judged : {};
  }
  const before = input.memory.get(placeKey(place));
  if (before?.inUse !== true) return {};
  const reason = `it is not registered any more, and was in use when it was seen last: ${judged.endpoint.reason}`;
  return { endpoint: { ...judged.endpoint, reason }, kept: before };
}

function judgePlace(place: OldPlace, input: DrainInput): Judged & { readonly endpoint: DrainEndpoint } {
  const { sightings, book, memory, bakeMs, monotonic, now } = input;
  const all = sightings.filter((sighting) => concerns(sighting, place));
  const here = all.filter((sighting) => isHere(sighting, place));
  const fresh = here.filter(({ ageMs }) => ageMs <= silentAfterMs);
  const seeing = fresh.filter(({ fault }) => fault === '');
  const before = memory.get(placeKey(place));
  const unknown = (reason: string) => ({
    endpoint: { ...named(place), verdict: 'unknown' as const, since: null, meshStreams: null, callers: [], reason },
  });
  if (seeing.length === 0) return unknown(whyUnseen(here, fresh));
  const known = before !== undefined && monotonic - before.lookedAt <= longestGapMs ? before : undefined;
  const seenListening = seeing.some(({ listening }) => listening) || known?.seenListening === true;
  const elsewhere = all.filter((sighting) => !isHere(sighting, place) && sighting.ageMs <= silentAfterMs);
  const { outside, more, mesh } = seenCallers(place, seeing, elsewhere, book);
  if (!seenListening && outside.length === 0) {
    return unknown('nothing was seen to listen there: the program may run in a network namespace of its own, or be off already');
  }
  const watchedSince = Math.max(...seeing.map(({ ageMs, watchingMs }) => monotonic - ageMs - watchingMs));
  const firstLook = Math.max(...seeing.map(({ ageMs }) => monotonic - ageMs));
  const lastOutside = Math.max(...outside.map(({ lastSeenMs }) => monotonic - lastSeenMs), Number.NEGATIVE_INFINITY);
  const quietSince = Math.max(known?.quietSince ?? firstLook, watchedSince, lastOutside);
  const kept = { quietSince, lookedAt: monotonic, seenListening, inUse: false };
  const base = { ...named(place), meshStreams: mesh, callers: callersOf(outside, more) };
  const open = outside.reduce((sum, { connections }) => sum + connections, more);
  if (open > 0) {
    const reason = `${open} ${open === 1 ? 'connection' : 'connections'} from outside the mesh`;
    return { endpoint: { ...base, verdict: 'in-use', since: null, reason }, kept: { ...kept, quietSince: monotonic, inUse: true } };
  }
  const quietMs = monotonic - quietSince;
  const verdict = quietMs >= bakeMs ? 'safe' : 'quiet';
  const seconds = (ms: number) => Math.floor(ms / 1_000);
  const reason =
    verdict === 'safe'
      ? `no connection from outside the mesh for ${seconds(quietMs)} s`
      : `no connection from outside the mesh for ${seconds(quietMs)} s of ${seconds(bakeMs)} s`;
  const since = new Date(now - quietMs).toISOString();
  return { endpoint: { ...base, verdict, since, reason }, kept };
}

function named({ instance, address, port }: OldPlace): Pick<DrainEndpoint, 'instance' | 'address'> {
  return { instance, address: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}` };
}

/** An agent speaks of its own network alone: the same address elsewhere is another machine. */
function concerns({ watch, network, instance }: SocketSighting, place: OldPlace): boolean {
  const { behindAgent } = place;
  if (network !== place.network) return false;
  if (behindAgent === undefined) return watch.address === place.address && watch.port === place.port;
  return (
    watch.address === '' && watch.namespace === behindAgent.namespace && watch.name === behindAgent.name && instance === place.instance
  );
}

function isHere({ inbound, addresses }: SocketSighting, { address }: OldPlace): boolean {
  return inbound && addresses.includes(address);
}

function whyUnseen(here: readonly SocketSighting[], fresh: readonly SocketSighting[]): string {
  const [blind] = fresh;
  if (blind !== undefined) return `the agent ${blind.instance} does not see its connections: ${blind.fault}`;
  const youngest = here.reduce((least, { ageMs }) => Math.min(least, ageMs), Number.POSITIVE_INFINITY);
  const [silent] = here;
  if (silent === undefined) return 'no agent on that machine sees its connections: run one there, with the address that is registered';
  const age = Number.isFinite(youngest) ? `for ${Math.floor(youngest / 1_000)} s` : 'since this control plane began to watch';
  return `the agent ${silent.instance} has said nothing of its connections ${age}`;
}

function callersOf(outside: readonly OutsideCaller[], more: number): DrainEndpoint['callers'] {
  const shown = outside.slice(0, maxCallers).map(({ address, name, connections }) => ({ address, name, connections }));
  const rest = outside.slice(maxCallers);
  const count = rest.length + more;
  if (count === 0) return shown;
  const connections = rest.reduce((sum, each) => sum + each.connections, more);
  return [...shown, { address: '', name: `and ${count} more`, connections }];
}
