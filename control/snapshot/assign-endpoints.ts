import { formatLocality, type ServicePort } from '../../core/model/index.ts';
import type { CatalogEndpoint } from '../catalog/index.ts';
import { type Asked, directCandidates, remoteCandidates } from './candidates.ts';
import type { AssignmentIr } from './ir.ts';
import { prioritize } from './prioritize.ts';
import { membersOf } from './subset.ts';

/**
 * How a client reaches the endpoints of a (service, port, subset): those of its own network directly, all others through gateways
 * of theirs, one entry per gateway address and mTLS end. Never a raw address across networks: without a gateway there is
 * no entry, and `explain` says so.
 */
export function assignEndpoints(asked: Asked): AssignmentIr {
  const { service, port, target, place } = asked;
  const members = membersOf(service.endpoints, port, target);
  const selected = selectable(members, port);
  const policy = target.policies?.get(port.port);
  const near = (e: CatalogEndpoint) => e.network === place.network && e.tunnel === undefined;
  // Where nobody is sound, others are tried only by those who were told to panic.
  const shown = selected.some((e) => e.health !== 'draining') || (policy?.traffic?.outlier?.minHealthPercent ?? 0) > 0;
  const candidates = [
    ...directCandidates(selected.filter(near), asked, false),
    ...remoteCandidates(
      selected.filter((e) => !near(e)),
      asked,
    ),
    ...(shown ? directCandidates(ailing(members.filter(near), isAnyKnown(members)), asked, true) : []),
  ];
  return prioritize(candidates, place, policy?.locality);
}

/** Healthy ones and draining ones; `unknown` counts as healthy only while nothing is known to be. */
export function selectable(endpoints: readonly CatalogEndpoint[], port: ServicePort): readonly CatalogEndpoint[] {
  const there = endpoints.filter((e) => e.ports[port.name] !== undefined);
  const known = isAnyKnown(there);
  return there.filter((e) => e.health === 'healthy' || e.health === 'draining' || (e.health === 'unknown' && !known));
}

function isAnyKnown(endpoints: readonly CatalogEndpoint[]): boolean {
  return endpoints.some((e) => e.health === 'healthy');
}

/** Of one locality: enough to tell how sick it is, and not what a crash loop may leave in a registry. */
const ailingAtLeast = 16;
const ailingPerHealthy = 4;

/** The others, which show how healthy a place is, and are used where a client has nothing better to try. */
function ailing(near: readonly CatalogEndpoint[], known: boolean): readonly CatalogEndpoint[] {
  const others = near.filter((e) => e.health === 'unhealthy' || (e.health === 'unknown' && known));
  if (others.length === 0) return others;
  const room = new Map<string, number>();
  for (const e of near) {
    if (e.health !== 'healthy') continue;
    const locality = formatLocality(e.locality);
    room.set(locality, (room.get(locality) ?? 0) + ailingPerHealthy);
  }
  const taken = new Map<string, number>();
  return others.filter((e) => {
    const locality = formatLocality(e.locality);
    const count = (taken.get(locality) ?? 0) + 1;
    taken.set(locality, count);
    return count <= Math.max(ailingAtLeast, room.get(locality) ?? 0);
  });
}
