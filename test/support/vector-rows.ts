import type { PeerExpectation } from '../../core/pki/index.ts';

/** Unix ms; of all vectors that do not say another. */
export const now = Date.UTC(2026, 10, 22);
export const hour = 3_600_000;
export const orders = 'spiffe://mesh.test/ns/shop/sa/orders';
export const east = 'east.cluster.mesh.test';

export type Chain = readonly Uint8Array[];
/** `bundle`: by its name. */
export type Rows = (readonly [name: string, bundle: string, chain: Chain, more?: { expectation?: PeerExpectation; now?: number }])[];
