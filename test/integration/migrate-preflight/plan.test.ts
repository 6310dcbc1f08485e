import assert from 'node:assert/strict';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { MigrationPlan } from '../../../core/admin/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { written } from '../../support/object-scene.ts';
import { onEnd } from '../../support/on-end.ts';
import { RealControl } from '../../support/real-control.ts';
import { until } from '../../support/until.ts';

/** A registry that is a folder. */
function registry(name: string, path: string, claims: string): object {
  const mapping = { namespace: 'shop', claims: [claims] };
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Registry',
    metadata: { name },
    spec: { type: 'file', connection: { path }, mapping },
  };
}

/** `shop/NAME` with one endpoint for each address. */
function entry(name: string, addresses: readonly string[], port = 80): string {
  return JSON.stringify({
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace: 'shop' },
    spec: {
      hosts: [`${name}.shop.mesh.internal`],
      ports: [{ number: port, name: 'http', protocol: 'HTTP' }],
      resolution: 'STATIC',
      endpoints: addresses.map((address) => ({ address, ports: { http: 8080 } })),
    },
  });
}

/** A control plane whose `shop/orders` is in file/old, and may be in file/new. */
async function withFolders(t: TestContext, claims = 'shop/*') {
  const dir = await temporaryDir(t);
  const [old, now] = [join(dir, 'old'), join(dir, 'new')];
  await Promise.all([mkdir(old), mkdir(now)]);
  await writeFile(join(old, 'orders.json'), entry('orders', ['10.0.0.1', '10.0.0.2']));
  const registries = [registry('old', old, 'shop/*'), registry('new', now, claims)];
  const control = await RealControl.make(dir, 'east', registries.map((r) => JSON.stringify(r)).join('\n---\n'));
  onEnd(t, () => control.stop());
  await control.start();
  /** At once: a registry never sees half a file. */
  const deploy = async (text: string) => {
    await writeFile(join(dir, 'half'), text);
    await rename(join(dir, 'half'), join(now, 'orders.json'));
  };
  return { control, deploy };
}

async function planned(control: RealControl, ...args: readonly string[]) {
  const { code, out, err } = await control.cli('migrate', 'plan', ...args, '--output', 'json');
  assert.notEqual(out, '', err);
  return { code, plan: JSON.parse(out) as MigrationPlan };
}

/** ms: each look is a process of its own. */
const patience = 60_000;
const sides = ['shop/orders', '--from', 'file/old', '--to', 'file/new'];
const named = (plan: MigrationPlan, name: string) => plan.checks.filter((c) => c.name === name).map((c) => `${c.ok} ${c.message}`);

test('what is planned can be applied, and from then on stands in the way of another', async (t) => {
  const { control, deploy } = await withFolders(t);
  const first = await until(
    'the first plan',
    async () => {
      const { code, plan } = await planned(control, ...sides);
      return code === 0 ? plan : undefined;
    },
    patience,
  );
  assert.deepEqual(named(first, 'service'), ['warn file/new has no endpoint of shop/orders yet']);
  assert.deepEqual(named(first, 'sides'), ['pass file/old and file/new are live']);
  assert.match(named(first, 'drain').join(), /no agent reads the sockets of .*: at the end its verdict will be unknown, never safe/);
  const applied = await control.cli('apply', '-f', await written(control, 'plan.yaml', first.yaml), '-m', 'orders moves');
  assert.equal(applied.code, 0, applied.err);
  const other = await until(
    'the Migration in force',
    async () => {
      const { plan } = await planned(control, ...sides, '--name', 'another');
      return plan.ok ? undefined : plan;
    },
    patience,
  );
  assert.deepEqual(named(other, 'other-migrations'), ['fail Migration shop/orders-to-file-new moves shop/orders too (reserved)']);
  await deploy(entry('orders', ['10.1.0.1', '10.1.0.2']));
  const second = await until(
    'the new side',
    async () => {
      const { plan } = await planned(control, ...sides);
      return named(plan, 'service')[0]?.startsWith('pass') === true ? plan : undefined;
    },
    patience,
  );
  assert.deepEqual([second.ok, second.violations], [true, []]);
  await deploy(entry('orders', ['10.1.0.1'], 8081));
  const third = await until(
    'its new ports',
    async () => {
      const { plan } = await planned(control, ...sides);
      return named(plan, 'ports')[0]?.startsWith('fail') === true ? plan : undefined;
    },
    patience,
  );
  assert.match(named(third, 'ports')[0] ?? '', /file\/new has no port 80, which callers of file\/old dial as http \(http\); it has 8081/);
  assert.match(named(third, 'capacity')[0] ?? '', /1 healthy endpoint for what 2 carry on file\/old/);
});

test('whoever plans what cannot be gets everything that is wrong, with what to change, and exit code 2', async (t) => {
  const { control } = await withFolders(t, 'shop/other');
  await until(
    'a plan',
    async () => (await planned(control, ...sides)).plan.checks.some((c) => c.name === 'service' && c.ok === 'warn') || undefined,
  );
  const { code, plan } = await planned(control, ...sides);
  assert.deepEqual([code, plan.ok], [2, false]);
  assert.deepEqual(named(plan, 'names'), [
    'fail file/new may not publish shop/orders: it would be withheld (NotClaimed, or NameCollision)',
  ]);
  assert.ok(plan.violations.some((v) => v.message.includes('add `- shop/orders` under spec.mapping.claims of Registry file/new')));
  const unknown = await planned(control, 'shop/orders', '--from', 'file/odl', '--to', 'file/new');
  assert.ok(unknown.plan.violations.some((v) => v.path === 'spec.from.registry' && v.message.includes('did you mean file/old?')));
  const text = await control.cli('migrate', 'plan', ...sides);
  assert.equal(text.code, 2);
  assert.match(text.out, /add `- shop\/orders` under spec\.mapping\.claims/);
});
