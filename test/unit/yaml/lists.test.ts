import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parserFor } from '../../../control/assemble/objects.ts';
import { parseConfig } from '../../../control/config/load.ts';
import { readCandidates } from '../../../control/objects/candidates.ts';
import { formatViolation } from '../../../core/validate.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';

const mesh = `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: { name: east }
spec: { cluster: east, trustDomain: mesh.test, stateDir: /tmp/x }
---
`;

/** As `kubectl get virtualservice -o yaml` prints it. */
const list = `apiVersion: v1
kind: List
metadata:
  resourceVersion: ""
items:
- apiVersion: networking.istio.io/v1
  kind: VirtualService
  metadata:
    name: reviews
    namespace: shop
  spec:
    hosts: [reviews]
    http:
    - route:
      - destination: { host: reviews }
- apiVersion: networking.istio.io/v1
  kind: DestinationRule
  metadata:
    name: reviews
    namespace: shop
  spec:
    host: reviews
`;

const parse = parserFor('mesh.test');

test('a List is its items, in what is applied and in files that are watched', () => {
  const { objects, violations } = readCandidates([{ file: 'list.yaml', text: list }], parse, {});
  assert.deepEqual(violations, []);
  const keys = ['networking.istio.io/VirtualService/shop/reviews', 'networking.istio.io/DestinationRule/shop/reviews'];
  assert.deepEqual([...objects.keys()], keys);
  const [first] = objects.values();
  assert.equal(first?.document['kind'], 'VirtualService');

  const config = parseConfig([{ file: 'config.yaml', text: mesh + list }]);
  assert.ok(config.ok, JSON.stringify(config));
  assert.deepEqual(
    config.value.documents.map((d) => d.object.kind),
    ['VirtualService', 'DestinationRule'],
  );
});

test('mistakes are named by item and line, those of the list and those of its items, and all at once', () => {
  const wrong = `${list.replace('    host: reviews\n', '    hosts: reviews\n')}- 7
- apiVersion: v1
  kind: List
  items:
  - apiVersion: networking.istio.io/v1
    kind: Sidecart
    metadata: { name: x }
---
apiVersion: v2
kind: List
itmes: []
`;
  const { violations } = readCandidates([{ file: 'f', text: wrong }], parse, {});
  assert.deepEqual(violations.map(formatViolation), [
    'f:23: items[2]: must be an object',
    'f:33: itmes: unknown field; a List has items',
    'f:31: apiVersion: must be v1',
    'f:31: items: is required',
    'f:21: items[1].spec.host: is required',
    'f:22: items[1].spec.hosts: unknown field; did you mean host?',
    'f:28: items[3].items[0].kind: "Sidecart" is no kind known here; did you mean Sidecar?',
  ]);
});

test('an empty List is nothing to apply, and items count as documents do', () => {
  const empty = readCandidates([{ file: 'f', text: 'apiVersion: v1\nkind: List\nitems: []\n' }], parse, {});
  assert.deepEqual(empty.violations.map(formatViolation), ['no object is given']);
  const many = `apiVersion: v1\nkind: List\nitems:\n${'- {}\n'.repeat(1001)}`;
  assert.deepEqual(parseDocuments('f', many), {
    documents: [],
    violations: [{ path: '', file: 'f', message: 'holds more than 1000 documents' }],
  });
});
