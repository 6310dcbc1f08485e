import { peeringTypeUrls as urls } from '../../core/xds/index.ts';
import type { ParseDocument } from '../objects/index.ts';
import { decodePeerResource } from './decode-peering.ts';
import { aged, type Held, heldObject } from './held-object.ts';
import type { InForce, Unconfirmed } from './in-force.ts';
import type { KeptObjects } from './object-records.ts';

/** Pure: what an earlier process kept of one peer. What cannot be read any more is left out. */
export function restoreObjects({ objects, ages, waiting }: KeptObjects, cluster: string, parse: ParseDocument): InForce {
  const read = (name: string, bytes: Uint8Array, createdAt: number): Held | undefined => {
    const decoded = decodePeerResource(urls.sharedObject, name, bytes);
    if (!decoded.ok || decoded.value.kind !== 'object') return undefined;
    const made = heldObject(cluster, parse, name, decoded.value.value, bytes);
    return aged(made, Math.max(made.claimed, createdAt));
  };
  const held = new Map<string, Held>();
  for (const [name, bytes] of objects) {
    const made = read(name, bytes, ages.get(name) ?? 0);
    if (made !== undefined) held.set(name, made);
  }
  const unconfirmed = new Map<string, Unconfirmed>();
  for (const [name, { version, confirmBy, fallback }] of waiting) {
    const made = fallback && read(name, fallback.bytes, fallback.createdAt);
    // What it goes back to cannot be read: what is held stays.
    if (fallback !== undefined && made === undefined) continue;
    unconfirmed.set(name, { version, confirmBy, fallback: made });
  }
  return { held, waiting: unconfirmed };
}
