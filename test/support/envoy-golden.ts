import { createSnapshotBuilder, DialectResources, envoyDialect } from '../../control/snapshot/index.ts';
import { type ClientClass, noClaims, type ResourceSet } from '../../core/xds/index.ts';
import { clientOf } from './client-class.ts';
import { goldenInputs } from './golden-scene.ts';

const reference = (name: string) => ({ namespace: 'shop', name, port: 80 });

/** One client of each kind, with all that its kind may ask for. */
export const envoyClients: Readonly<Record<'sidecar' | 'ingress' | 'gateway', ClientClass>> = {
  sidecar: clientOf({
    dialect: 'envoy',
    network: 'east-net',
    claims: {
      ...noClaims,
      inbound: {
        address: '0.0.0.0',
        port: 15_006,
        services: [
          { ...reference('orders'), protocol: 'http', address: '127.0.0.1', target: 8080 },
          { ...reference('catalog'), port: 5432, protocol: 'tcp', address: '127.0.0.1', target: 5432 },
          { ...reference('catalog'), port: 9000, protocol: 'grpc', address: '127.0.0.1', target: 9000 },
        ],
      },
      outbound: [
        { ...reference('payments'), address: '127.64.0.1', listen: 80 },
        { ...reference('catalog'), address: '127.64.0.2', listen: 80 },
        { ...reference('unknown'), address: '127.64.0.3', listen: 80 },
      ],
    },
  }),
  ingress: clientOf({
    dialect: 'envoy',
    kind: 'ingress',
    network: 'east-net',
    claims: {
      ...noClaims,
      http: [
        {
          address: '0.0.0.0',
          listen: 8080,
          services: [
            { ...reference('orders'), hosts: ['shop.example.com', '*.shop.example.com', 'no host'] },
            { ...reference('catalog'), hosts: ['SHOP.example.com', 'catalog.example.com'] },
          ],
        },
      ],
    },
  }),
  gateway: clientOf({ dialect: 'envoy', kind: 'gateway', network: 'east-net' }),
};

export function envoyGoldenSet(client: ClientClass): ResourceSet {
  const builder = createSnapshotBuilder();
  const resources = new DialectResources(builder, [envoyDialect]);
  builder.update(goldenInputs());
  resources.publish();
  const set = resources.view(client).current();
  if (set === undefined) throw new Error('no resources');
  return set;
}
