import test from 'node:test';
import { createSnapshotBuilder, DialectResources, nativeDialect } from '../../../control/snapshot/index.ts';
import { native, nativeTypeUrls } from '../../../core/xds/index.ts';
import { clientOf } from '../../support/client-class.ts';
import { assertGolden } from '../../support/golden.ts';
import { goldenInputs } from '../../support/golden-scene.ts';

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
    builder.update(goldenInputs());
    resources.publish();
    const set = resources.view(clientOf({ kind, network: 'east-net' })).current();
    const decoded = Object.entries(decoders).map(([name, type]) => {
      const all = [...(set?.get(nativeTypeUrls[name as keyof typeof decoders])?.values() ?? [])];
      return [name, Object.fromEntries(all.sort((a, b) => (a.name < b.name ? -1 : 1)).map((r) => [r.name, type.decode(r.value)]))];
    });
    await assertGolden(`test/golden/snapshot/${kind}.golden.json`, Object.fromEntries(decoded));
  });
}
