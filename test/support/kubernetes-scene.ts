import type { TestContext } from 'node:test';
import { FakeKubernetes } from '../fakes/kubernetes-api.ts';
import { onEnd } from './on-end.ts';

const group = 'networking.istio.io';
export const collection = `virtualservices.${group}`;

/** A VirtualService of namespace shop. */
export const service = (name: string, metadata: object = {}, hosts = ['orders']) => ({
  apiVersion: `${group}/v1`,
  kind: 'VirtualService',
  metadata: { namespace: 'shop', name, ...metadata },
  spec: { hosts, http: [{ directResponse: { status: 418 } }] },
});

/** The Registry object `prod` over it. */
export const registry = (fake: FakeKubernetes, objects: unknown = true) =>
  JSON.stringify({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Registry',
    metadata: { name: 'prod' },
    spec: { type: 'kubernetes', objects, connection: { kubeconfig: fake.kubeconfig } },
  });

/** Its API serves VirtualServices; it runs until the test ends. */
export async function kubernetesWithRules(t: TestContext): Promise<FakeKubernetes> {
  const fake = await FakeKubernetes.start();
  onEnd(t, () => fake.stop());
  fake.definitions.push({ group, version: 'v1', plural: 'virtualservices', kind: 'VirtualService' });
  return fake;
}
