/** Taylor's series of the standard normal distribution function around 0, exact to doubles within ±8. */
function normalShareBelow(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 3; Math.abs(term) > 1e-17 * Math.abs(sum); n += 2) {
    term *= (x * x) / n;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

/** How many standard deviations either side of the mean hold this share of a normal distribution: 1.96 of 0.95. `confidence` in (0, 1). */
export function deviationsFor(confidence: number): number {
  let [low, high] = [0, 8];
  for (let n = 0; n < 60; n++) {
    const middle = (low + high) / 2;
    if (2 * normalShareBelow(middle) - 1 < confidence) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
