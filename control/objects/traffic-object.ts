import type { TrafficObject } from '../../core/config/index.ts';
import type { AppliableObject } from './contract.ts';

const security: ReadonlySet<string> = new Set<AppliableObject['kind']>([
  'AuthorizationPolicy',
  'RequestAuthentication',
  'PeerAuthentication',
]);

/** What the traffic compiler reads; the rest says who may call. */
export function isTrafficObject(object: AppliableObject): object is TrafficObject {
  return !security.has(object.kind);
}
