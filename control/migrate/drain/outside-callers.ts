import type { OldPlace, SocketSighting } from './contract.ts';
import type { AddressBook } from './name-callers.ts';

/** Programs that try the services which are registered with them, from the same machine: nobody's callers. */
const checkers: ReadonlySet<string> = new Set(['consul', 'nomad']);

export interface OutsideCaller {
  readonly address: string;
  readonly name: string;
  readonly connections: number;
  /** Before now, ms. */
  readonly lastSeenMs: number;
}

export interface SeenCallers {
  readonly outside: readonly OutsideCaller[];
  /** Beyond what an agent lists: who they are is not known. */
  readonly more: number;
  /** Connections of the mesh: those of the agent there, of gateways, and of agents on other machines that vouch for theirs. */
  readonly mesh: number;
}

/**
 * Who calls a place, told apart. `here`: what agents on its machine see; `elsewhere`: what agents on other machines of its network say of
 * their own programs' connections with it. A connection from a machine with an agent is the mesh's only if that agent says so now. Pure.
 */
export function seenCallers(
  place: OldPlace,
  here: readonly SocketSighting[],
  elsewhere: readonly SocketSighting[],
  book: AddressBook,
): SeenCallers {
  const outside: OutsideCaller[] = [];
  let more = 0;
  let mesh = Math.max(0, ...here.map(({ ownConnections }) => ownConnections));
  const took = new Set<string>();
  const ofMachine = localView(here);
  for (const sighting of here) {
    const { callers, moreCallers, ageMs } = sighting;
    for (const { address, program, connections, idleMs } of callers) {
      // Two agents of one machine see the same connections.
      if (took.has(`${address} ${program}`)) continue;
      took.add(`${address} ${program}`);
      const lastSeenMs = ageMs + idleMs;
      const known = book.nameOf(place.network, address);
      const add = (name: string, count: number) => outside.push({ address, name, connections: count, lastSeenMs });
      if (program !== '' && (sighting !== ofMachine || checkers.has(program))) continue;
      if (program !== '') {
        add(`${program} on the machine itself`, connections);
        continue;
      }
      // Past its agent nobody of the mesh calls: a connection from anywhere else is from outside.
      if (place.behindAgent !== undefined) {
        add(known, connections);
        continue;
      }
      if (book.isGateway(place.network, address)) {
        mesh += connections;
        continue;
      }
      const said = vouched(elsewhere, address);
      if (said === undefined) {
        add(known, connections);
        continue;
      }
      const own = Math.min(connections, said.own);
      mesh += own;
      for (const each of said.programs) outside.push({ ...each, address, name: [each.program, known].filter(Boolean).join(', ') });
      // What neither side's agent accounts for may be of a program that it cannot see.
      const rest = said.programs.reduce((left, each) => left - each.connections, connections - own);
      if (rest > 0) add(known, rest);
    }
    more = Math.max(more, moreCallers);
  }
  return { outside: outside.sort((a, b) => b.connections - a.connections || (a.address < b.address ? -1 : 1)), more, mesh };
}

/** Of several agents on one machine each takes the others' connections for those of a program: who sees the fewest knows best. */
function localView(here: readonly SocketSighting[]): SocketSighting | undefined {
  const local = ({ callers }: SocketSighting) => callers.filter(({ program }) => program !== '');
  const open = (sighting: SocketSighting) => local(sighting).reduce((sum, { connections }) => sum + connections, 0);
  return [...here].sort((a, b) => open(a) - open(b) || local(a).length - local(b).length)[0];
}

interface Vouched {
  readonly own: number;
  readonly programs: readonly { readonly program: string; readonly connections: number; readonly lastSeenMs: number }[];
}

/** What the agents of one address say of connections that begin there; undefined: none does. */
function vouched(elsewhere: readonly SocketSighting[], address: string): Vouched | undefined {
  const there = elsewhere.filter(({ addresses, fault }) => fault === '' && addresses.includes(address));
  if (there.length === 0) return undefined;
  return {
    own: Math.max(...there.map(({ ownConnections }) => ownConnections)),
    programs: there.flatMap(({ callers, ageMs }) =>
      callers.map(({ program, connections, idleMs }) => ({ program, connections, lastSeenMs: ageMs + idleMs })),
    ),
  };
}
