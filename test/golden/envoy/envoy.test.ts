import test from 'node:test';
import { envoyOrder } from '../../../core/xds/index.ts';
import { envoyClients, envoyGoldenSet } from '../../support/envoy-golden.ts';
import { readEnvoyMessage } from '../../support/envoy-messages.ts';
import { assertGolden } from '../../support/golden.ts';

for (const [kind, client] of Object.entries(envoyClients)) {
  test(`what Envoy as ${kind} on east-net gets, as bytes that decode to this`, async () => {
    const set = envoyGoldenSet(client);
    const decoded = envoyOrder.map((typeUrl) => {
      const all = [...(set.get(typeUrl)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
      return [
        typeUrl.slice(typeUrl.lastIndexOf('.') + 1),
        Object.fromEntries(all.map((r) => [r.name, readEnvoyMessage(typeUrl, r.value)])),
      ];
    });
    await assertGolden(`test/golden/envoy/${kind}.golden.json`, Object.fromEntries(decoded));
  });
}
