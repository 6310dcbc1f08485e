import type { ServicePlan } from '../../../core/admin/index.ts';
import type { AssignmentIr, ClientClass, EndpointIr, Snapshot } from '../../snapshot/index.ts';
import { classText } from './client-facts.ts';

type EndpointChange = ServicePlan['endpoints'][number];

/** What one class of clients would be told otherwise. */
export interface ClassChange {
  readonly client: ClientClass;
  /** Owners (services by key, gateways) with any resource that differs. */
  readonly owners: ReadonlySet<string>;
  readonly endpoints: ReadonlyMap<string, readonly EndpointChange[]>;
}

/** Pure. What did not change is the same object in both, as one builder made them. */
export function compareSnapshots(before: Snapshot, after: Snapshot): ClassChange {
  const owners = new Set<string>();
  const endpoints = new Map<string, EndpointChange[]>();
  for (const owner of new Set([...before.owners.keys(), ...after.owners.keys()])) {
    const [old, now] = [before.owners.get(owner) ?? [], after.owners.get(owner) ?? []];
    if (old === now) continue;
    const versions = (list: typeof old) =>
      list
        .map((r) => `${r.kind} ${r.name} ${r.version}`)
        .sort()
        .join('\n');
    if (versions(old) === versions(now)) continue;
    owners.add(owner);
    const changes = assignmentsOf(old, now).flatMap(([name, was, is]) => compareAssignments(name, was, is, after.client));
    if (changes.length > 0) endpoints.set(owner, changes);
  }
  return { client: after.client, owners, endpoints };
}

type Resources = readonly { readonly kind: string; readonly name: string; readonly value: unknown }[];

function assignmentsOf(old: Resources, now: Resources): [string, AssignmentIr | undefined, AssignmentIr | undefined][] {
  const read = (list: Resources) => new Map(list.filter((r) => r.kind === 'endpoints').map((r) => [r.name, r.value as AssignmentIr]));
  const [was, is] = [read(old), read(now)];
  return [...new Set([...was.keys(), ...is.keys()])].sort().map((name) => [name, was.get(name), is.get(name)]);
}

function compareAssignments(
  xdsCluster: string,
  was: AssignmentIr | undefined,
  is: AssignmentIr | undefined,
  client: ClientClass,
): EndpointChange[] {
  const byPlace = (a: AssignmentIr | undefined) => new Map((a?.endpoints ?? []).map((e) => [placeOf(e), e]));
  const [old, now] = [byPlace(was), byPlace(is)];
  const gained = [...now.keys()].filter((place) => !old.has(place));
  const lost = [...old.keys()].filter((place) => !now.has(place));
  const changed = [...now].filter(([place, e]) => old.has(place) && JSON.stringify(old.get(place)) !== JSON.stringify(e)).length;
  return gained.length + lost.length + changed === 0 ? [] : [{ xdsCluster, seenBy: [classText(client)], gained, lost, changed }];
}

function placeOf({ address, port, cluster, runtime, viaGateway }: EndpointIr): string {
  return `${address}:${port} (${viaGateway ? `gateway of ${cluster}` : `${runtime} in ${cluster}`})`;
}

/** What looks the same from several places is said once. */
export function joinChanges(all: readonly EndpointChange[]): EndpointChange[] {
  const joined = new Map<string, EndpointChange>();
  for (const change of all) {
    const { seenBy, ...same } = change;
    const id = JSON.stringify(same);
    const known = joined.get(id);
    joined.set(id, known === undefined ? change : { ...known, seenBy: [...known.seenBy, ...seenBy] });
  }
  return [...joined.values()];
}
