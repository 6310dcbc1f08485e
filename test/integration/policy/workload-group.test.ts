import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { InstanceList } from '../../../core/admin/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { until } from '../../support/until.ts';
import { GuardedMesh } from './guarded-mesh.ts';

const group = (labels: string) => `
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: vms, namespace: shop }
spec: { metadata: { labels: { team: blue } }, template: { serviceAccount: orders, labels: ${labels} } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: orders, namespace: shop }
spec: { host: orders, subsets: [{ name: new, labels: { version: v2, team: blue } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: orders, namespace: shop }
spec: { hosts: [orders], http: [{ route: [{ destination: { host: orders, subset: new } }] }] }
`;

test('a VM that joined with a token of a group has its labels, also those that come later, and stays when the group goes', {
  timeout: 120_000,
}, async (t) => {
  const mesh = await GuardedMesh.start(t);
  const file = join(await temporaryDir(t), 'group.yaml');
  const apply = async (labels: string) => {
    await writeFile(file, group(labels));
    await mesh.cli('apply', '-f', file);
  };
  const unknown = await mesh.tryCli('vm', 'token', 'shop/orders', '--port', '8080', '--group', 'shop/vms');
  assert.notEqual(unknown.code, 0);
  assert.match(unknown.err, /there is no WorkloadGroup shop\/vms/);
  await apply('{ version: v1 }');
  const foreign = await mesh.tryCli('vm', 'token', 'bank/orders', '--port', '8080', '--group', 'shop/vms');
  assert.match(foreign.err, /must be a WorkloadGroup of the namespace of the service, bank/);
  await mesh.vm('orders', 8080, {}, 'shop/vms');
  const web = await mesh.vm('web', 8081);
  const status = () =>
    fetch(`http://127.0.0.1:${web.local}/`).then(
      (answer) => answer.status,
      () => 0,
    );
  await until('the subset to have nobody', async () => (await status()) === 503);
  const { instances } = JSON.parse(await mesh.cli('vm', 'list', '--output', 'json')) as InstanceList;
  assert.equal(instances.find((each) => each.id === 'vm-orders')?.group, 'shop/vms');
  await apply('{ version: v2 }');
  await until('the subset to have the VM', async () => (await status()) === 200);
  await mesh.cli('delete', 'workloadgroup', 'vms', '-n', 'shop');
  await until('the subset to have nobody again', async () => (await status()) === 503);
  await mesh.cli('delete', 'virtualservice', 'orders', '-n', 'shop');
  await until('the VM to be there as it always was', async () => (await status()) === 200);
});
