import { test } from 'node:test';
import type { RegistryRules } from '../../../core/registry/index.ts';
import { projectNode, projectPod, projectService, projectSlice } from '../../../registries/kubernetes/objects.ts';
import { translateService } from '../../../registries/kubernetes/translate.ts';
import { assertGolden, readInput } from '../../support/golden.ts';
import { rulesWith } from '../../unit/registry/records.ts';

type Captured = Readonly<Record<'services' | 'slices' | 'pods' | 'nodes', readonly unknown[]>>;

async function translate(change: Partial<RegistryRules>): Promise<object> {
  const captured = await readInput<Captured>('test/golden/registries/kubernetes.input.json');
  const rules = rulesWith({ namespaceFrom: 'native', protocol: 'tcp', ...change });
  const slices = captured.slices.flatMap((raw) => projectSlice(raw) ?? []);
  const pods = captured.pods.flatMap((raw) => projectPod(raw) ?? []);
  const nodes = captured.nodes.flatMap((raw) => projectNode(raw) ?? []);
  const services = captured.services.flatMap((raw) => projectService(raw) ?? []);
  return Object.fromEntries(
    services.map((service) => {
      const own = slices.filter((s) => s.service === service.name && s.namespace === service.namespace);
      const pod = (name: string) => pods.find((p) => p.name === name && p.namespace === service.namespace);
      const node = (name: string) => nodes.find((n) => n.name === name);
      return [service.name, translateService({ service, slices: own, pod, node }, rules)];
    }),
  );
}

test("what Kubernetes 1.36 lists becomes mesh services; aliases and Isthmus' own do not", async () => {
  await assertGolden('test/golden/registries/kubernetes.golden.json', await translate({ tlsMode: 'mesh' }));
});
