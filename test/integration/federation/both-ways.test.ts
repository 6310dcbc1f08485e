import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDir } from '../../support/control-plane.ts';
import { until } from '../../support/until.ts';
import { GuardedMesh, type TestVm } from '../policy/guarded-mesh.ts';

const federated = (trustDomain: string, bundleFile: string) => `
apiVersion: isthmus.dev/v1alpha1
kind: FederatedTrustDomain
metadata: {name: partner}
spec: {trustDomain: ${trustDomain}, bundleFile: ${bundleFile}}
`;

const entry = (host: string, port: number, id: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: legacy, namespace: shop}
spec:
  hosts: [${host}]
  ports: [{number: 80, name: http, protocol: HTTP}]
  location: MESH_EXTERNAL
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, network: east, ports: {http: ${port}}}]
  subjectAltNames: ["${id}"]
`;

const letIn = (principal: string) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: partners, namespace: shop}
spec: {selector: {matchLabels: {app: orders}}, rules: [{from: [{source: {principals: ["${principal}"]}}]}]}
`;

const called = async (from: TestVm): Promise<number | string> => {
  const response = await fetch(`http://127.0.0.1:${from.toLegacy}/`).catch(() => undefined);
  return response?.status ?? 'refused';
};

test('services of two meshes with roots of their own call each other, as whom they are in their own trust domain, once both sides say so', {
  timeout: 120_000,
}, async (t) => {
  const [here, there] = [
    await GuardedMesh.start(t),
    await GuardedMesh.start(t, { trustDomain: 'partner.test', hostSuffix: 'partner.internal' }),
  ];
  const [ours, theirs] = [await here.vm('orders', 80, { app: 'orders' }), await there.vm('orders', 80, { app: 'orders' })];
  const inboundOf = (vm: TestVm) => vm.agent.inbound.port;
  const [our, their] = ['spiffe://mesh.example.org/ns/shop/sa/orders', 'spiffe://partner.test/ns/shop/sa/orders'];
  await here.configure('entry.yaml', entry('orders.shop.partner.internal', inboundOf(theirs), their));
  await there.configure('entry.yaml', entry('orders.shop.mesh.internal', inboundOf(ours), our));
  // Fails closed: whose bundle is not known is nobody, and the log of the caller says what to do.
  const refusedFor = (vm: TestVm, domain: string) =>
    until(`${domain} is nobody`, async () => {
      const status = await called(vm);
      return (
        status === 503 && vm.access.some((line) => JSON.stringify(line).includes(`no bundle of the trust domain ${domain} is known here`))
      );
    });
  await refusedFor(ours, 'partner.test');
  await refusedFor(theirs, 'mesh.example.org');

  const files = await temporaryDir(t);
  const bundleOf = async (mesh: GuardedMesh, name: string) => {
    const file = join(files, name);
    await mesh.save(file, 'federation', 'bundle');
    return file;
  };
  await here.configure('partner.yaml', federated('partner.test', await bundleOf(there, 'partner.json')));
  await there.configure('partner.yaml', federated('mesh.example.org', await bundleOf(here, 'ours.json')));
  // Each believes the other's server now, and lets nobody of the other in yet.
  for (const vm of [ours, theirs]) await until('nobody has let it in', async () => (await called(vm)) === 403);
  await there.configure('policy.yaml', letIn('mesh.example.org/ns/shop/sa/orders'));
  await here.configure('policy.yaml', letIn('partner.test/ns/shop/sa/orders'));
  for (const vm of [ours, theirs]) await until('both ways', async () => (await called(vm)) === 200);
  const explained = await here.tryCli('explain', 'shop/orders', 'shop/legacy');
  assert.match(explained.out, new RegExp(`mTLS as ${their} of trust domain partner\\.test`));

  // Somebody else of that domain is not who was meant.
  await here.configure('entry.yaml', entry('orders.shop.partner.internal', inboundOf(theirs), 'spiffe://partner.test/ns/shop/sa/other'));
  await until('another identity', async () => (await called(ours)) === 503);
  await here.configure('entry.yaml', entry('orders.shop.partner.internal', inboundOf(theirs), their));
  await until('the right one again', async () => (await called(ours)) === 200);
  assert.deepEqual([here.lines, there.lines], [[], []]);
});
