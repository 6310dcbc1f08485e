import type { ProxyName } from './bed.ts';

/** Where a proxy does something else than the case expects, and why that is left so. */
export interface KnownDifference {
  readonly case: string;
  readonly proxy: ProxyName;
  readonly reason: string;
}

export const knownDifferences: readonly KnownDifference[] = [
  {
    case: 'WebSocket: who hangs up is as sound as before',
    proxy: 'envoy',
    reason: 'Envoy counts a WebSocket that its server closes as a connection that failed, and holds the server back for half a second.',
  },
];
