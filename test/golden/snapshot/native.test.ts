import test from 'node:test';
import { authorizationPolicies } from '../../../control/policy/index.ts';
import { createSnapshotBuilder, DialectResources, nativeDialect } from '../../../control/snapshot/index.ts';
import type { AuthorizationPolicyObject } from '../../../core/config/index.ts';
import { native, nativeTypeUrls } from '../../../core/xds/index.ts';
import { clientOf } from '../../support/client-class.ts';
import { assertGolden } from '../../support/golden.ts';
import { goldenInputs } from '../../support/golden-scene.ts';

const anyone = { principals: [], notPrincipals: [], namespaces: [], notNamespaces: [], clusters: [] };
const policy = { kind: 'AuthorizationPolicy', namespace: 'shop' } as const;
const callers: AuthorizationPolicyObject = {
  ...policy,
  name: 'callers',
  spec: { selector: {}, action: 'ALLOW', rules: [{ from: [{ ...anyone, principals: ['*/sa/web'], notNamespaces: ['test-*'] }] }] },
};
const noWest: AuthorizationPolicyObject = {
  ...policy,
  name: 'no-west',
  spec: { selector: {}, action: 'DENY', rules: [{ from: [{ ...anyone, clusters: ['west'], notPrincipals: ['*/sa/gateway'] }] }] },
};

const decoders = {
  listener: native.Listener,
  route: native.Route,
  cluster: native.Cluster,
  loadAssignment: native.LoadAssignment,
  bundle: native.Bundle,
  authz: native.Authz,
} as const;

for (const kind of ['agent', 'gateway'] as const) {
  test(`what ${kind === 'agent' ? 'an agent' : 'a gateway'} on east-net gets, as bytes that decode to this`, async () => {
    const builder = createSnapshotBuilder();
    const resources = new DialectResources(builder, [nativeDialect]);
    const inputs = goldenInputs();
    builder.update({ ...inputs, policies: [...inputs.policies, authorizationPolicies([callers, noWest])] });
    resources.publish();
    const set = resources.view(clientOf({ kind, network: 'east-net' })).current();
    const decoded = Object.entries(decoders).map(([name, type]) => {
      const all = [...(set?.get(nativeTypeUrls[name as keyof typeof decoders])?.values() ?? [])];
      return [name, Object.fromEntries(all.sort((a, b) => (a.name < b.name ? -1 : 1)).map((r) => [r.name, type.decode(r.value)]))];
    });
    await assertGolden(`test/golden/snapshot/${kind}.golden.json`, Object.fromEntries(decoded));
  });
}
