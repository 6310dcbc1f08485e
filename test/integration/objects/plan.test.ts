import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { Plan } from '../../../core/admin/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { json, policy, written } from '../../support/object-scene.ts';
import { onEnd } from '../../support/on-end.ts';
import { RealControl } from '../../support/real-control.ts';
import { until } from '../../support/until.ts';

const services = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews.shop.mesh.internal]
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints:
    - { address: 127.0.0.1, labels: { version: v1 }, ports: { http: 19081 } }
    - { address: 127.0.0.2, labels: { version: v2 }, ports: { http: 19082 } }
`;
const subsets = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: shop }
spec:
  host: reviews
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
`;
const route = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews]
  http: [{ route: [{ destination: { host: reviews, subset: v1 }, weight: 90 }, { destination: { host: reviews, subset: v2 }, weight: 10 }] }]
`;

test('plan shows routes, endpoints, callers and findings before anything is applied, and exits 2 on an error', async (t) => {
  const dir = await temporaryDir(t);
  const folder = join(dir, 'services');
  await mkdir(folder);
  await writeFile(join(folder, 'reviews.yaml'), services);
  const registry = `apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: { name: services }
spec: { type: file, connection: { path: ${folder} }, mapping: { claims: ["*/*"], protocol: http } }
`;
  const control = await RealControl.make(dir, 'east', registry);
  onEnd(t, () => control.stop());
  await control.start();
  await until('the service', async () => (await control.cli('status')).out.includes('shop/reviews'));

  const dangling = await control.cli('plan', '-f', await written(control, 'route.yaml', route));
  assert.equal(dangling.code, 2, dangling.out);
  assert.match(dangling.out, /ERROR [a-z-]+: VirtualService shop\/reviews/);
  assert.match(dangling.err, /the plan found \d+ error/);

  const both = await written(control, 'both.yaml', `${subsets}---\n${route}---\n${policy('strangers', 'strangers')}`);
  const shown = await control.cli('plan', '-f', both);
  assert.equal(shown.code, 0, shown.out + shown.err);
  assert.match(shown.out, /\+ DestinationRule shop\/reviews\n {2}\+ VirtualService shop\/reviews/);
  assert.match(shown.out, /\+ .*every request -> 90 % outbound\|9080\|v1\|reviews\.shop\.mesh\.internal \+ 10 % outbound\|9080\|v2\|/);
  assert.match(shown.out, /Clients: 0 of 0 connected/);
  assert.match(shown.out, /Nothing was changed\./);
  assert.equal((await control.cli('get')).out, 'none\n');

  json(await control.cli('apply', '-f', both, '-o', 'json'));
  const gone = json<Plan>(await control.cli('plan', '--delete', 'vs/shop/reviews', '-o', 'json'));
  assert.deepEqual(
    gone.objects.map((o) => o.action),
    ['deleted'],
  );
  assert.ok(gone.services[0]?.routes[0]?.lines.some((l) => l.startsWith('- ')));
  const back = json<Plan>(await control.cli('plan', '--rollback', '0', '-o', 'json'));
  assert.deepEqual(
    back.objects.map((o) => o.action),
    ['deleted', 'deleted', 'deleted'],
  );
  const same = await control.cli('plan', '-f', both);
  assert.match(same.out, /Nothing differs/);
});
