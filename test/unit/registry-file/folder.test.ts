import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatViolation } from '../../../core/validate.ts';
import { FolderState } from '../../../registries/file/folder-state.ts';
import { translate } from '../../../registries/file/translate.ts';

const rules = {
  namespace: 'default',
  namespaceFrom: 'native',
  rename: {},
  include: [],
  exclude: [],
  claims: ['*/*'],
  network: 'net-a',
  protocol: 'tcp',
  serviceAccount: 'default',
  tlsMode: 'none',
  locality: 'eu/a',
} as const;

const entry = (name: string, more = '') => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${name}.shop.mesh.internal]
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 10.0.0.1, ports: {http: 8080}}]
${more}`;

function read(files: Record<string, string>, state = new FolderState()) {
  const violations = state.update(Object.entries(files).map(([file, text]) => ({ file, text })));
  const { services, violations: more } = translate(state.objects(), rules, () => 7);
  return { services, violations: [...violations, ...more].map(formatViolation), state };
}

test('a ServiceEntry with inline endpoints, and one that selects WorkloadEntries of its namespace', () => {
  const { services, violations } = read({
    'a.yaml': entry('payments'),
    'b.yaml': `${entry('orders').replace(/ {2}endpoints.*\n/, '  workloadSelector: {labels: {app: orders}}\n')}---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm-1, namespace: shop}
spec: {address: 10.0.0.7, labels: {app: orders, security.istio.io/tlsMode: istio}, serviceAccount: orders, weight: 3, locality: eu/b, network: net-b}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm-2, namespace: other}
spec: {address: 10.0.0.8, labels: {app: orders}}
`,
  });
  assert.deepEqual(violations, []);
  const [payments, orders] = services;
  assert.deepEqual(
    [payments?.namespace, payments?.name, payments?.ports, payments?.createdAt],
    ['shop', 'payments', [{ name: 'http', port: 80, protocol: 'http' }], 7],
  );
  assert.deepEqual(payments?.endpoints[0]?.ports, { http: 8080 });
  const [vm, ...none] = orders?.endpoints ?? [];
  assert.equal(none.length, 0);
  assert.deepEqual(
    [vm?.instance, vm?.ports, vm?.tlsMode, vm?.weight, vm?.serviceAccount, vm?.network, vm?.locality.zone],
    ['vm-1', { http: 80 }, 'mesh', 3, 'orders', 'net-b', 'b'],
  );
});

test('what is not supported is refused by name with file, line and path; the rest of the file stands', () => {
  const bad = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: bad, namespace: shop}
spec:
  hosts: [bad.shop.mesh.internal, worse.shop.mesh.internal]
  ports: [{number: 99999, name: http, protocol: SMTP}]
  resolution: DNS
  exportTo: ["*"]
  endpoints: [{address: db.example.com, wieght: 2}]
`;
  const { services, violations } = read({ 'x.yaml': `${entry('good')}---\n${bad}---\nkind: VirtualService\nmetadata: {name: v}\n` });
  assert.deepEqual(
    services.map((s) => s.name),
    ['good'],
  );
  const all = violations.join('\n');
  for (const part of [
    /x\.yaml:\d+: spec\.hosts: must hold exactly one host/,
    /spec\.ports\[0\]\.number: must be at most 65535/,
    /spec\.ports\[0\]\.protocol: "SMTP" is none of/,
    /spec\.resolution: must be STATIC/,
    /spec\.exportTo: unknown field/,
    /spec\.endpoints\[0\]\.address: must be an IP address/,
    /spec\.endpoints\[0\]\.wieght: unknown field; did you mean weight\?/,
    /kind: "VirtualService" is none of ServiceEntry, WorkloadEntry/,
  ])
    assert.match(all, part);
});

test('a broken object keeps its last good version, a file that is no YAML keeps all, and what a good file no longer names goes', () => {
  const { state } = read({ 'a.yaml': `${entry('one')}---\n${entry('two')}` });
  const names = (text: string) => read({ 'a.yaml': text }, state).services.map((s) => s.name);
  assert.deepEqual(names(`${entry('one').replace('10.0.0.1', 'oops')}---\n${entry('two')}`), ['one', 'two']);
  assert.deepEqual(names('{{{ not yaml'), ['one', 'two']);
  assert.deepEqual(names(entry('two')), ['two']);
  assert.deepEqual(read({}, state).services, []);
});

test('two entries of one name: the first stands, the other is named', () => {
  const { services, violations } = read({ 'a.yaml': entry('one'), 'b.yaml': entry('one').replace('name: one,', 'name: again,') });
  assert.equal(services.length, 1);
  assert.match(violations.join(), /ServiceEntry\["shop\/again"\].*another ServiceEntry is shop\/one already/);
});
