import { DialectResources, envoyDialect } from '../../control/snapshot/index.ts';
import { type ClientClass, noClaims, type ResourceSet } from '../../core/xds/index.ts';
import { clientOf } from './client-class.ts';
import { StaticSnapshots } from './static-snapshots.ts';
import { trafficResources } from './traffic-fields.ts';

const reference = (name: string, port = 80) => ({ namespace: 'shop', name, port });

/** Asks for all that has rules, one by one and by Host. */
export const trafficClient: ClientClass = clientOf({
  dialect: 'envoy',
  network: 'east-net',
  labels: { app: 'web' },
  claims: {
    ...noClaims,
    outbound: ['reviews', 'traffic']
      .map((name, i) => ({ ...reference(name), address: '127.64.0.1', listen: 80 + i }))
      .concat([
        { ...reference('secure', 443), address: '127.64.0.1', listen: 443 },
        { ...reference('hashed', 5432), address: '127.64.0.1', listen: 5432 },
      ]),
    http: [
      {
        address: '127.0.0.1',
        listen: 8080,
        services: [
          { ...reference('reviews'), hosts: [] },
          { ...reference('traffic'), hosts: ['t.example.com'] },
        ],
      },
    ],
  },
});

export function trafficSet(client: ClientClass): ResourceSet {
  const trust = { trustDomain: 'mesh.test', roots: [], intermediates: [], deniedSerials: [] };
  const builder = new StaticSnapshots({ hostSuffix: 'mesh.internal', trust }).set(trafficResources());
  const resources = new DialectResources(builder, [envoyDialect]);
  resources.publish();
  const set = resources.view(client).current();
  if (set === undefined) throw new Error('no resources');
  return set;
}
