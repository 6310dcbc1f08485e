import { test } from 'node:test';
import { parseHealth } from '../../../registries/consul/schema.ts';
import { translateService } from '../../../registries/consul/translate.ts';
import { assertGolden, readInput } from '../../support/golden.ts';
import { rulesWith } from '../../unit/registry/records.ts';

test("what Consul 1.19 answers becomes mesh services; Isthmus' own records do not", async () => {
  const answers = await readInput<Record<string, unknown>>('test/golden/registries/consul-health.input.json');
  const rules = rulesWith({ namespace: 'shop', rename: { web: 'storefront' }, serviceAccount: 'vm', tlsMode: 'mesh' });
  const services = Object.entries(answers).map(([name, body]) => [name, translateService(parseHealth(body), rules, 1_700_000_000_000)]);
  await assertGolden('test/golden/registries/consul.golden.json', Object.fromEntries(services));
});
