import { createHash } from 'node:crypto';
import type { EncodedResource } from '../resource-source.ts';

type Lanes = readonly [number, number, number, number];
const lanesOf = new WeakMap<EncodedResource, Lanes>();

/** A content hash of a set of resources, whatever their order; equal over restarts and replicas. Costs an addition a resource. */
export function setVersion(resources: Iterable<EncodedResource>): string {
  const sum = new Uint32Array(4);
  for (const resource of resources) {
    const lanes = lanesOf.get(resource) ?? hash(resource);
    for (let i = 0; i < 4; i += 1) sum[i] = (sum[i] ?? 0) + (lanes[i] ?? 0);
  }
  return Buffer.from(sum.buffer).toString('hex');
}

function hash(resource: EncodedResource): Lanes {
  const digest = createHash('sha256').update(resource.name).update('\0').update(resource.version).digest();
  const lanes: Lanes = [digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8), digest.readUInt32LE(12)];
  lanesOf.set(resource, lanes);
  return lanes;
}
