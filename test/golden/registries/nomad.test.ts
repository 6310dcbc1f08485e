import { test } from 'node:test';
import { parseAllocations, parseChecks, parseEventLine, parseNodes, parseRegistrations } from '../../../registries/nomad/schema.ts';
import { NomadState } from '../../../registries/nomad/state.ts';
import { translateService } from '../../../registries/nomad/translate.ts';
import { assertGolden, readInput } from '../../support/golden.ts';
import { rulesWith } from '../../unit/registry/records.ts';

interface Captured {
  readonly service: unknown;
  readonly allocations: unknown;
  readonly nodes: unknown;
  readonly checks: unknown;
  readonly events: readonly unknown[];
}

const input = () => readInput<Captured>('test/golden/registries/nomad.input.json');
const rules = rulesWith({ namespaceFrom: 'native', serviceAccount: 'nomad' });
const show = (state: NomadState) => state.services().flatMap((s) => translateService(state.instancesOf(s), rules, 'global', 7).parts);

test('what Nomad 1.10 lists becomes mesh services', async () => {
  const { service, allocations, nodes, checks } = await input();
  const state = new NomadState();
  state.setNodes(parseNodes(nodes) ?? [], 40);
  state.setAllocations(parseAllocations(allocations) ?? [], 40);
  state.setRegistrations(parseRegistrations(service) ?? [], 40, new Map());
  const [running] = state.runningAllocations();
  state.setChecks(running ?? '', parseChecks(checks) ?? {});
  await assertGolden('test/golden/registries/nomad-lists.golden.json', show(state));
});

test('the events of an allocation that is stopped and replaced, one by one', async () => {
  const state = new NomadState();
  const steps = (await input()).events.map((line) => {
    const batch = parseEventLine(line).Events ?? [];
    for (const event of batch) state.apply(event);
    const endpoints = show(state).flatMap((p) => p.record.endpoints.map((e) => `${e.instance} ${e.health}`));
    return { said: batch.map((e) => `${e.Index} ${e.Topic} ${e.Type}`), endpoints };
  });
  await assertGolden('test/golden/registries/nomad-events.golden.json', steps);
});
