import type { Answer, Packet, Question } from 'dns-packet';

/** Seconds. Short, since a service's loopback address may go when the service does. */
const answerTtl = 30;
const rcode = { noError: 0, formErr: 1, servFail: 2, nxDomain: 3, refused: 5 } as const;
const authoritative = 1 << 10;

/** Names in lower case without the final dot → IPv4 addresses. */
export type HostTable = ReadonlyMap<string, readonly string[]>;

export interface Zones {
  /** Suffixes that the mesh owns, such as `mesh.internal`; everything else is somebody else's. */
  readonly suffixes: readonly string[];
  readonly hosts: HostTable;
  /** There may be services that `hosts` does not list, as nobody has asked for them. */
  readonly partial?: boolean;
}

/** What to do with a query: answer it here, or leave it to the machine's own resolver. */
export type Verdict = { readonly kind: 'answer'; readonly packet: Packet } | { readonly kind: 'foreign' };

/** Pure. Queries of several questions, other opcodes and responses are refused (RFC 9619 §3: QDCOUNT is 1). */
export function answerQuery(query: Packet, zones: Zones): Verdict {
  const [question, ...more] = query.questions ?? [];
  if (query.type === 'response' || question === undefined || more.length > 0) return answer(query, [], rcode.formErr, 0);
  const name = normalise(question.name);
  if (!zones.suffixes.some((suffix) => name === suffix || name.endsWith(`.${suffix}`))) return { kind: 'foreign' };
  const addresses = zones.hosts.get(name);
  // An empty non-terminal (the namespace of a known service) exists without records: NODATA, not NXDOMAIN (RFC 8020 §2).
  if (addresses === undefined && !hasDescendant(zones, name)) return answer(query, [], rcode.nxDomain, authoritative);
  return answer(query, records(question, addresses ?? []), rcode.noError, authoritative);
}

function records(question: Question, addresses: readonly string[]): Answer[] {
  // AAAA and others of a known name are NODATA, so that clients that ask for both families go on with the A record.
  const type: string = question.type; // dns-packet decodes 255 as ANY, which its types leave out
  if (type !== 'A' && type !== 'ANY') return [];
  return addresses.map((data) => ({ type: 'A', name: question.name, ttl: answerTtl, class: 'IN', data }));
}

function hasDescendant(zones: Zones, name: string): boolean {
  if (zones.suffixes.includes(name)) return true;
  for (const host of zones.hosts.keys()) if (host.endsWith(`.${name}`)) return true;
  // A namespace: nobody has told us that it holds nothing.
  return (
    zones.partial === true &&
    zones.suffixes.some((suffix) => name.endsWith(`.${suffix}`) && !name.slice(0, -suffix.length - 1).includes('.'))
  );
}

function answer(query: Packet, answers: Answer[], code: number, flags: number): Verdict {
  const recursionDesired = (query.flags ?? 0) & (1 << 8);
  return {
    kind: 'answer',
    packet: { id: query.id ?? 0, type: 'response', flags: flags | recursionDesired | code, questions: query.questions ?? [], answers },
  };
}

/** DNS names compare without case (RFC 4343). */
export function normalise(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/** For what cannot be answered and may not be forwarded. */
export function refuse(query: Packet): Packet {
  return failure(query, rcode.refused);
}

/** For what nobody can tell now: the resolver asks again, or elsewhere, and nothing is cached as missing. */
export function serverFailure(query: Packet): Packet {
  return failure(query, rcode.servFail);
}

function failure(query: Packet, code: number): Packet {
  return { id: query.id ?? 0, type: 'response', flags: code, questions: query.questions ?? [], answers: [] };
}
