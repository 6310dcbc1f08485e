import type { ServicePort } from '../../core/model/index.ts';
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
  const near = (e: CatalogEndpoint) => e.network === place.network;
  const candidates = [
    ...directCandidates(selected.filter(near), asked, false),
    ...remoteCandidates(
      selected.filter((e) => !near(e)),
      asked,
    ),
  ];
  return prioritize(candidates, place, target.policies?.get(port.port)?.locality);
}

/** Healthy ones and draining ones; `unknown` counts as healthy only while nothing is known to be. */
export function selectable(endpoints: readonly CatalogEndpoint[], port: ServicePort): readonly CatalogEndpoint[] {
  const there = endpoints.filter((e) => e.ports[port.name] !== undefined);
  const known = there.some((e) => e.health === 'healthy');
  return there.filter((e) => e.health === 'healthy' || e.health === 'draining' || (e.health === 'unknown' && !known));
}
