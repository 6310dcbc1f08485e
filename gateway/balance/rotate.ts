/**
 * Smooth weighted round robin over what has a standing: everybody gains its weight, the first one pays the sum. Weights may
 * change from pick to pick. Undefined: nothing to choose from.
 */
export function rotate<T extends { readonly seat: { standing: number } }>(
  items: readonly T[],
  weightOf: (item: T) => number,
): T | undefined {
  let best: T | undefined;
  let most = Number.NEGATIVE_INFINITY;
  let total = 0;
  for (const item of items) {
    const weight = weightOf(item);
    const { seat } = item;
    seat.standing += weight;
    total += weight;
    if (seat.standing > most) [best, most] = [item, seat.standing];
  }
  if (best !== undefined) best.seat.standing -= total;
  return best;
}

/** In proportion to the weights. */
export function drawWeighted<T>(items: readonly T[], weightOf: (item: T) => number, draw: number): T | undefined {
  let left = draw * items.reduce((sum, item) => sum + weightOf(item), 0);
  for (const item of items) {
    left -= weightOf(item);
    if (left < 0) return item;
  }
  return items.at(-1);
}
