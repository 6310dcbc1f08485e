import test from 'node:test';
import { envoyOrder, type ResourceSet } from '../../../core/xds/index.ts';
import { envoyClients, envoyGoldenSet } from '../../support/envoy-golden.ts';
import { readEnvoyMessage } from '../../support/envoy-messages.ts';
import { assertGolden } from '../../support/golden.ts';
import { trafficSets } from '../../support/traffic-golden.ts';

function decoded(set: ResourceSet): unknown {
  const types = envoyOrder.map((typeUrl) => {
    const all = [...(set.get(typeUrl)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
    return [typeUrl.slice(typeUrl.lastIndexOf('.') + 1), Object.fromEntries(all.map((r) => [r.name, readEnvoyMessage(typeUrl, r.value)]))];
  });
  return Object.fromEntries(types);
}

for (const [kind, client] of Object.entries(envoyClients)) {
  test(`what Envoy as ${kind} on east-net gets, as bytes that decode to this`, async () => {
    await assertGolden(`test/golden/envoy/${kind}.golden.json`, decoded(envoyGoldenSet(client)));
  });
}

for (const [name, set] of Object.entries(trafficSets)) {
  test(`every field of traffic rules (${name}), as bytes that decode to this`, async () => {
    await assertGolden(`test/golden/envoy/${name}.golden.json`, decoded(set()));
  });
}
