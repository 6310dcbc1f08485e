import { type ClientClass, noClaims } from '../../core/xds/index.ts';

/** A native agent of cluster east unless said otherwise. */
export function clientOf(changes: Partial<ClientClass> = {}): ClientClass {
  const identity = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'web' };
  return {
    dialect: 'native',
    kind: 'agent',
    identity,
    cluster: 'east',
    network: 'n1',
    locality: '',
    labels: {},
    claims: noClaims,
    ...changes,
  };
}
