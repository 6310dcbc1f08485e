/** How far clocks of two clusters may be apart without anybody's objects seeming younger than they are; as certificates allow. */
const allowedSkewMs = 5 * 60_000;

/**
 * Pure. The age that an object of a peer counts with, which decides between owners of one name: what its owner says, but nobody shares
 * today what was shared when all that they shared was known not to hold it. Unix ms of this cluster's clock but for `claimed`.
 *
 * `knownAt`: when the peer's objects were last known to be all there are, before this one came; undefined: never. `before`: the age that it
 * counted with until now, where it was held; it does not get older by being changed.
 */
export function boundedAge(claimed: number, knownAt: number | undefined, before: number | undefined): number {
  if (before !== undefined) return Math.max(claimed, before);
  return knownAt === undefined ? claimed : Math.max(claimed, knownAt - allowedSkewMs);
}
