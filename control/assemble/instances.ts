import type { Instance } from '../../core/admin/index.ts';
import type { WorkloadGroupSpec } from '../../core/config/index.ts';
import { formatSpiffeId, ingressServiceAccount, networkId, serviceKey, systemNamespace } from '../../core/model/index.ts';
import {
  instanceIdOf,
  instanceKey,
  type RegisteredGatewayRecord,
  type RegisteredInstance,
  type RegisteredWorkload,
} from '../../registries/vm/index.ts';
import type { Grant } from '../ca/index.ts';
import type { CatalogView } from '../catalog/index.ts';
import { expireAfterOf, type Placement, type Stage, stagesOf } from '../registration/index.ts';

export interface InstancesInput {
  readonly records: readonly RegisteredInstance[];
  /** The last start of whatever has ever registered, by the key of its registration. */
  readonly starts: ReadonlyMap<string, number>;
  readonly grants: readonly Grant[];
  readonly view: CatalogView;
  readonly trustDomain: string;
  /** Why the last registration on a grant was refused, by its id. */
  readonly refusedOf: (grant: string) => string | undefined;
  /** By NAMESPACE/NAME. */
  readonly groupOf: (name: string) => WorkloadGroupSpec | undefined;
  /** Unix ms. */
  readonly now: number;
}

/** Everybody who has registered, and everybody who could: whose SVID has not ended. Sorted by namespace and name. Pure. */
export function listInstances(input: InstancesInput): Instance[] {
  const grants = new Map(input.grants.map((grant) => [grant.id, grant]));
  const seen = new Set(input.records.map((record) => record.grant));
  const registered = input.records.map((record) => instanceOf(record, grants.get(record.grant), input));
  const waiting = input.grants
    .filter((grant) => !seen.has(grant.id) && (grant.lastNotAfter > input.now || (grant.lastNotAfter === 0 && !grant.revoked)))
    .filter((grant) => !isIngress(grant) && (grant.revoked || input.refusedOf(grant.id) !== undefined || !hasLeft(grant, input.starts)))
    .map((grant) => instanceOf(undefined, grant, input));
  return [...registered, ...waiting].sort((a, b) => compare(`${a.namespace}/${a.id}`, `${b.namespace}/${b.id}`));
}

/** A clone that was found and ended is not told of for ever. */
const cloneShownMs = 3_600_000;

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** It takes what it needs by xDS, and registers nothing. */
function isIngress({ claims }: Grant): boolean {
  return claims.namespace === systemNamespace && claims.serviceAccount === ingressServiceAccount;
}

/** It has registered since it attested, and does no more: with a goodbye, or after a day of silence. Generations follow the clock, in s. */
function hasLeft({ claims, instance, createdAt }: Grant, starts: ReadonlyMap<string, number>): boolean {
  const { role, namespace, serviceAccount } = claims;
  return (starts.get(instanceKey({ role, namespace, serviceAccount, instance })) ?? 0) >= Math.floor(createdAt / 1_000);
}

function instanceOf(record: RegisteredInstance | undefined, grant: Grant | undefined, input: InstancesInput): Instance {
  const { trustDomain, view, now } = input;
  const claims = grant?.claims;
  const id = record?.instance ?? grant?.instance ?? '';
  const namespace = record?.namespace ?? claims?.namespace ?? '';
  const serviceAccount = record?.serviceAccount ?? claims?.serviceAccount ?? '';
  const services = record?.role === 'workload' ? record.services.map((s) => `${s.namespace}/${s.name}`) : [];
  const claimed = record === undefined ? (claims?.services.map((s) => `${s.namespace}/${s.name}`) ?? []) : services;
  const group = record?.role === 'workload' ? record.group : claims?.group;
  const expireAfterMs = record === undefined ? undefined : expireAfterOf(record, input.groupOf);
  const placements = record === undefined ? [] : placementsOf(record, view);
  const refused = input.refusedOf(grant?.id ?? '');
  const stages = stagesOf({ grant, record, refused, expireAfterMs, placements, now });
  const { stage, short } = furthest(stages, record, grant);
  const clone = record?.clone !== undefined && now - record.clone.at < cloneShownMs ? record.clone.sources.join(' and ') : undefined;
  return {
    id,
    role: record?.role ?? claims?.role ?? 'workload',
    namespace,
    spiffeId: formatSpiffeId({ trustDomain, namespace, serviceAccount }),
    network: record?.network ?? '',
    addresses: [...(record?.addresses ?? [])],
    services: [...new Set(claimed)],
    ...(group === undefined ? {} : { group }),
    generation: record?.generation ?? 0,
    ...(expireAfterMs === undefined ? {} : { expireAfterMs }),
    stage,
    stages: stages.map(({ stage: name, ok, reason }) => ({ stage: name, ok, reason })),
    ageMs: Math.max(0, now - (record?.registeredAt ?? grant?.createdAt ?? now)),
    ...(short === undefined ? {} : { reason: short.reason, ...(short.next === undefined ? {} : { next: short.next }) }),
    grant: record?.grant ?? grant?.id ?? '',
    attestor: grant?.attestor ?? '',
    ...(grant === undefined || grant.lastNotAfter === 0 ? {} : { notAfter: new Date(grant.lastNotAfter).toISOString() }),
    ...(clone === undefined ? {} : { cloneSuspected: clone }),
  };
}

/** The last stage before the first that is not reached, and that one. */
function furthest(
  stages: readonly Stage[],
  record: RegisteredInstance | undefined,
  grant: Grant | undefined,
): { readonly stage: Instance['stage']; readonly short: Stage | undefined } {
  const short = stages.find(({ ok }) => ok === 'no' || ok === 'unknown');
  if (grant?.revoked === true) return { stage: 'revoked', short: stages[0] };
  if (record?.expired === true) return { stage: 'expired', short: stages[1] };
  const before = stages.slice(0, short === undefined ? stages.length : stages.indexOf(short)).filter(({ ok }) => ok === 'yes');
  // Whose SVID ended, or is not known, may well be registered still.
  return { stage: before.at(-1)?.stage ?? (record === undefined ? 'attested' : 'registered'), short };
}

function placementsOf(record: RegisteredInstance, view: CatalogView): [string, Placement][] {
  if (record.role === 'gateway') return [['gateway', gatewayPlacement(record, view)]];
  return record.services.map((service): [string, Placement] => {
    const name = `${service.namespace}/${service.name}`;
    return [name, placementOf(record, serviceKey(service.namespace, service.name), service.portName, view)];
  });
}

function gatewayPlacement(record: RegisteredGatewayRecord, view: CatalogView): Placement {
  const known = (view.gateways.get(networkId(record.network)) ?? []).find(
    (g) => g.cluster === view.cluster && g.instance === record.instance,
  );
  if (known === undefined) return { state: 'missing', reason: 'not in the catalog yet' };
  if (known.addresses.length === 0) return { state: 'missing', reason: 'no address that it advertises resolves' };
  return { state: 'given' };
}

function placementOf(record: RegisteredWorkload, key: ReturnType<typeof serviceKey>, portName: string, view: CatalogView): Placement {
  const withheld = view.withheld.get(key)?.find((each) => each.cluster === view.cluster);
  const endpoints = view.services.get(key)?.endpoints ?? [];
  const own = endpoints.find((each) => each.cluster === view.cluster && each.runtime === 'vm' && each.instance === instanceIdOf(record));
  if (own !== undefined) {
    if (own.ports[portName] === undefined) return { state: 'missing', reason: 'others of the service have another port of that name' };
    if (own.state === 'stale') return { state: 'stale', reason: 'what is known of it is stale: it is ranked last' };
    if (own.weight === 0) return { state: 'weightless', reason: 'its weight is 0' };
    return { state: 'given' };
  }
  if (withheld !== undefined) return { state: 'withheld', reason: withheld.message };
  const [address] = record.addresses;
  const there = endpoints.find(
    (each) => each.network === record.network && each.address === address && Object.values(each.ports).includes(record.inboundPort),
  );
  if (there !== undefined) return { state: 'shadowed', reason: `${there.instance} of ${there.source} has the same address and port` };
  return { state: 'missing', reason: 'not in the catalog yet, or others of the service have other ports' };
}
