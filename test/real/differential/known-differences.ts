import type { Difference } from './differences.ts';

/** In the order of docs/envoy-differences.md. */
export const knownDifferences: readonly Difference[] = [];
