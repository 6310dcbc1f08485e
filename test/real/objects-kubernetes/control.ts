import assert from 'node:assert/strict';
import type { ObjectItem, ObjectList } from '../../../core/admin/index.ts';
import { until } from '../../support/until.ts';
import type { ControlHost } from '../scenario/isthmus-process.ts';
import type { Host } from '../servers/index.ts';

/** A cluster `east` that reads the objects of the Kubernetes `west`. */
export const config = ({ address }: Host, kubeconfig: string) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec:
  cluster: east
  trustDomain: objects.test
  stateDir: "{state}"
  identity: {rootDir: "{root}"}
  grpc: {listen: "0.0.0.0:15012", advertise: ["${address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: west}
spec: {type: kubernetes, objects: true, connection: {kubeconfig: ${kubeconfig}}}
`;

export async function objectsIn(control: ControlHost): Promise<readonly ObjectItem[]> {
  return (JSON.parse(await control.run('get', '--output', 'json')) as ObjectList).objects;
}

const named = (objects: readonly ObjectItem[]) => objects.map((o) => `${o.kind} ${o.namespace}/${o.name}${o.inForce ? '' : '!'}`).sort();

/** These and no others; `!` behind one that is not in force. */
export function holds(control: ControlHost, expected: readonly string[]): Promise<readonly ObjectItem[]> {
  return until(
    `the control plane holds ${expected.join(', ')}`,
    async () => {
      const objects = await objectsIn(control);
      assert.deepEqual(named(objects), [...expected].sort());
      return objects;
    },
    60_000,
  );
}
