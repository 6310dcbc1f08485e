import type { ProxyName } from './bed.ts';

/** Where a proxy does something else than the case expects, and why that is left so. */
export interface KnownDifference {
  readonly case: string;
  readonly proxy: ProxyName;
  readonly reason: string;
}

export const knownDifferences: readonly KnownDifference[] = [];
