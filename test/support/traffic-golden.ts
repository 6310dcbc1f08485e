import { DialectResources, envoyDialect, type Resource } from '../../control/snapshot/index.ts';
import { type ClientClass, noClaims, type ResourceSet } from '../../core/xds/index.ts';
import { clientOf } from './client-class.ts';
import { StaticSnapshots } from './static-snapshots.ts';
import { trafficResources } from './traffic-fields.ts';
import { gatewayResources } from './traffic-gateways.ts';

const reference = (name: string, port = 80) => ({ namespace: 'shop', name, port });

/** Asks for all that has rules, one by one and by Host. */
const trafficClient: ClientClass = clientOf({
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

const labels = { app: 'ingress' };

/** Each kind of client, and what there is for it. */
export const trafficSets: Readonly<Record<string, () => ResourceSet>> = {
  traffic: () => trafficSet(trafficClient, trafficResources()),
  'traffic-gateway': () => trafficSet(clientOf({ dialect: 'envoy', kind: 'gateway', network: 'east-net' }), gatewayResources()),
  'traffic-ingress': () => trafficSet(clientOf({ dialect: 'envoy', kind: 'ingress', network: 'east-net', labels }), gatewayResources()),
};

function trafficSet(client: ClientClass, owners: Readonly<Record<string, readonly Resource[]>>): ResourceSet {
  const trust = { trustDomain: 'mesh.test', roots: [], intermediates: [], deniedSerials: [] };
  const builder = new StaticSnapshots({ hostSuffix: 'mesh.internal', trust }).set(owners);
  const resources = new DialectResources(builder, [envoyDialect]);
  resources.publish();
  const set = resources.view(client).current();
  if (set === undefined) throw new Error('no resources');
  return set;
}
