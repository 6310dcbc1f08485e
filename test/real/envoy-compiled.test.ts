import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { callerPolicies } from '../../control/policy/index.ts';
import { createTrafficCompiler } from '../../control/routing/index.ts';
import { createSnapshotBuilder, DialectResources, envoyDialect } from '../../control/snapshot/index.ts';
import { envoyTypeUrls, noClaims, type ResourceSet } from '../../core/xds/index.ts';
import { inputsOf, viewOf } from '../support/catalog-view.ts';
import { clientOf } from '../support/client-class.ts';
import { staticBootstrap } from '../support/envoy-bootstrap.ts';
import { envoyValidationSecrets } from '../support/envoy-secrets.ts';
import { after, aStep, firstState, ids, type State } from '../support/traffic-history.ts';
import { hostSuffix } from '../support/traffic-model.ts';
import { validateEnvoyConfig } from './servers/index.ts';

const outbound = ids.flatMap((id, i) => {
  const [namespace = '', name = ''] = id.split('/');
  return [80, 90].map((port) => ({ namespace, name, port, address: `127.64.0.${i + 1}`, listen: port }));
});
const clients = [
  clientOf({ dialect: 'envoy', network: 'a', claims: { ...noClaims, outbound } }),
  clientOf({ dialect: 'envoy', kind: 'ingress', network: 'a', labels: { istio: 'ingress' } }),
];

const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });

function setsOf({ objects, services }: State): readonly ResourceSet[] {
  const builder = createSnapshotBuilder();
  const resources = new DialectResources(builder, [envoyDialect]);
  const view = viewOf([...services.values()]);
  builder.update({ ...inputsOf(view), policies, traffic: createTrafficCompiler({ hostSuffix }).update([...objects.values()], view) });
  resources.publish();
  return clients.map((client) => resources.view(client).current()).filter((set) => set !== undefined);
}

test('real Envoy takes what is compiled of whatever objects there are', async () => {
  const histories = fc.sample(fc.array(aStep, { minLength: 2, maxLength: 6 }), { numRuns: 40, seed: 20 });
  const sets = histories.flatMap((steps) => setsOf(steps.reduce(after, firstState)));
  const routes = sets.flatMap((set) => [...(set.get(envoyTypeUrls.route)?.values() ?? [])]);
  assert.ok(routes.length >= 15, `${routes.length} route configurations`);
  const named = sets.map((set, i) => [`s${i}`, set] as const);
  assert.deepEqual(await validateEnvoyConfig(staticBootstrap(named, envoyValidationSecrets())), { accepted: true });
});
