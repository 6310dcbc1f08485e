import assert from 'node:assert/strict';
import type { Drift } from '../../core/admin/index.ts';
import { written } from './object-scene.ts';
import type { RealControl } from './real-control.ts';
import { until } from './until.ts';

/** A rule of scope mesh. */
export const route = (name: string, timeout: string, namespace = 'shop') => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec: {hosts: [${name}.example.org], http: [{route: [{destination: {host: ${name}.example.org}}], timeout: ${timeout}}]}
`;

export async function applied(control: RealControl, ...documents: string[]): Promise<void> {
  const result = await control.cli('apply', '-f', await written(control, 'applied.yaml', documents.join('---\n')));
  assert.equal(result.code, 0, result.err);
}

export async function look(control: RealControl): Promise<{ drift: Drift; pairs: string[]; objects: string[] }> {
  const drift = await control.get<Drift>('/v1/drift');
  const pairs = drift.pairs.map((p) => `${p.owner} at ${p.cluster}: ${p.state}`);
  const objects = drift.objects.map((o) => `${o.owner.cluster} ${o.name} at ${o.cluster}: ${o.state}`);
  return { drift, pairs, objects };
}

/** Until that cluster says this of objects, and these of pairs. */
export async function shows(
  control: RealControl,
  state: Drift['state'],
  expected: { readonly pairs?: readonly string[]; readonly objects: readonly string[] },
): Promise<Drift> {
  return until(
    `${control.cluster} shows ${state} ${JSON.stringify(expected)}`,
    async () => {
      const seen = await look(control);
      assert.deepEqual([seen.drift.state, ...seen.objects], [state, ...expected.objects], JSON.stringify(seen.pairs));
      for (const pair of expected.pairs ?? []) assert.ok(seen.pairs.includes(pair), `${pair}: ${seen.pairs.join()}`);
      return seen.drift;
    },
    90_000,
  );
}
