/** The candidate that was probably meant, as `; did you mean X?`, or nothing when none is near. */
export function didYouMean(text: string, candidates: readonly string[]): string {
  const wanted = text.toLowerCase();
  const ranked = candidates
    .map((candidate) => ({
      candidate,
      distance: nearness(wanted, candidate.toLowerCase()),
      edits: editDistance(wanted, candidate.toLowerCase()),
    }))
    .sort((a, b) => a.distance - b.distance || a.edits - b.edits);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(1, Math.floor(wanted.length / 3)) ? `; did you mean ${best.candidate}?` : '';
}

function nearness(a: string, b: string): number {
  // `token` for `tokenFile`, `agentTtlMs` for `agentTtl`.
  if (a.length >= 3 && b.length >= 3 && (a.startsWith(b) || b.startsWith(a))) return 1;
  return editDistance(a, b);
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i++) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      rows[i]?.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, swapped));
    }
  }
  return at(a.length, b.length);
}
