import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/until.ts';
import { GuardedMesh } from '../policy/guarded-mesh.ts';

const rules = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders, namespace: shop}
spec:
  host: orders
  subsets:
    - {name: v1, labels: {version: v1}}
    - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: orders, namespace: shop}
spec:
  hosts: [orders]
  http:
    - route:
        - {destination: {host: orders, subset: v1}, weight: 99}
        - {destination: {host: orders, subset: v2}, weight: 1}
`;

test('rules written into the folder of a running control plane reach its clients, and leave them', { timeout: 120_000 }, async (t) => {
  const mesh = await GuardedMesh.start(t);
  await mesh.vm('orders', 8080, { version: 'v1' });
  const web = await mesh.vm('web', 8081);
  const call = async () => (await fetch(`http://127.0.0.1:${web.local}/`).catch(() => undefined))?.status;
  const told = async () => (await mesh.tryCli('explain', 'shop/web', 'shop/orders', '--output', 'json')).out;
  await until('web to reach orders', async () => (await call()) === 200);
  assert.doesNotMatch(await told(), /"route"/);

  await mesh.configure('traffic.yaml', rules);
  await until('the rules to count', async () => (await told()).includes('99 % outbound|8080|v1|orders.shop.mesh.internal'));
  assert.match(await told(), /subset v1 of orders\.shop\.mesh\.internal: 1 endpoint/);
  assert.match(await told(), /subset v2 of orders\.shop\.mesh\.internal: 0 endpoint/);

  await mesh.configure('traffic.yaml');
  await until('the rules to be gone', async () => !(await told()).includes('99 %'));
  await until('web to reach orders again', async () => (await call()) === 200);
  assert.deepEqual(mesh.lines, []);
});

const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: orders, namespace: shop}
spec:
  parentRefs:
    - {group: "", kind: Service, name: orders}
  rules:
    - matches:
        - path: {type: PathPrefix, value: /moved}
      filters:
        - type: RequestRedirect
          requestRedirect: {hostname: new.example.com, statusCode: 301}
    - matches:
        - path: {type: PathPrefix, value: /gone}
      backendRefs:
        - {name: nobody, port: 80}
    - filters:
        - type: ResponseHeaderModifier
          responseHeaderModifier:
            set: [{name: x-route, value: shop}]
      backendRefs:
        - {name: orders, port: 8080}
`;

test('an HTTPRoute of the folder whose parent is a service is what its callers go by', { timeout: 180_000 }, async (t) => {
  const mesh = await GuardedMesh.start(t);
  await mesh.vm('orders', 8080);
  const web = await mesh.vm('web', 8081);
  // A connection that was opened before there were rules goes on without them.
  const call = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${web.local}${path}`, { redirect: 'manual' }).catch(() => undefined);
    await response?.arrayBuffer();
    return response;
  };
  await until('web to reach orders', async () => (await call('/'))?.status === 200);

  await mesh.configure('route.yaml', route);
  await until('the route to count', async () => (await call('/'))?.headers.get('x-route') === 'shop', 60_000);
  const moved = await call('/moved/on');
  assert.equal(moved?.status, 301);
  assert.match(moved.headers.get('location') ?? '', /^http:\/\/new\.example\.com(:[0-9]+)?\/moved\/on$/);
  assert.equal((await call('/movedaway'))?.status, 200, 'a prefix is of whole segments');
  assert.equal((await call('/gone'))?.status, 500, 'a backend that is not there');

  await mesh.configure('route.yaml');
  await until('the route to be gone', async () => (await call('/moved/on'))?.status === 200, 60_000);
  assert.deepEqual(mesh.lines, []);
});
