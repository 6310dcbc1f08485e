import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ControlHost, startControl } from '../scenario/isthmus-process.ts';
import { createNetwork, type Host, type Network } from '../servers/index.ts';
import { makeWorkFolder } from '../servers/work-folder.ts';

const trustDomain = 'proxyless.test';

/** One control plane whose services stand in files, and machines beside it. */
export interface ProxylessMesh {
  readonly network: Network;
  readonly control: ControlHost;
  host(name: string): Host;
  /** Replaces the endpoints of shop/orders, port 8080. */
  orders(endpoints: readonly OrdersEndpoint[]): Promise<void>;
}

export interface OrdersEndpoint {
  readonly host: Host;
  readonly weight?: number;
  readonly locality?: string;
}

/** Short SVIDs: what is asserted of renewal is seen within seconds. */
const config = (host: Host, services: string) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec:
  cluster: east
  trustDomain: ${trustDomain}
  stateDir: "{state}"
  grpc: {listen: "0.0.0.0:15012", advertise: ["${host.address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
  identity: {rootDir: "{root}", svidTtl: 30s}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: services}
spec:
  type: file
  connection: {path: "${services}"}
  mapping: {claims: ["*/*"]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: callers-of-orders, namespace: shop}
spec:
  action: ALLOW
  rules: [{from: [{source: {principals: ["${trustDomain}/ns/shop/sa/web"]}}]}]
`;

export async function startMesh(ending: (end: () => Promise<unknown>) => void, machines: readonly string[]): Promise<ProxylessMesh> {
  const network = await createNetwork({ sites: { east: ['control', ...machines] } });
  ending(() => network.remove());
  const host = (name: string) => network.host('east', name);
  const services = await makeWorkFolder('services');
  await mkdir(services, { recursive: true });
  const control = await startControl(host('control'), config(host('control'), services), trustDomain);
  ending(() => control.process.stop());
  // Written elsewhere: a watched file that is written in place is empty at first, which is a registry without services.
  const draft = join(await makeWorkFolder('drafts'), 'orders.yaml');
  const orders = async (endpoints: readonly OrdersEndpoint[]) => {
    await writeFile(draft, serviceEntry(endpoints));
    await rename(draft, join(services, 'orders.yaml'));
  };
  return { network, control, host, orders };
}

function serviceEntry(endpoints: readonly OrdersEndpoint[]): string {
  const line = ({ host, weight = 1, locality = '' }: OrdersEndpoint) =>
    `    - {address: ${host.address}, ports: {grpc: 50051}, serviceAccount: orders, weight: ${weight}, locality: "${locality}", ` +
    'labels: {security.istio.io/tlsMode: istio}}';
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: orders, namespace: shop}
spec:
  hosts: [orders.shop.mesh.internal]
  ports: [{number: 8080, name: grpc, protocol: GRPC}]
  resolution: STATIC
  endpoints:
${endpoints.map(line).join('\n')}
`;
}
