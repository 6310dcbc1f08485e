import assert from 'node:assert/strict';
import test from 'node:test';
import { parseConfig } from '../../../control/config/index.ts';
import { formatViolation } from '../../../core/validate.ts';

const mesh = (spec = '') => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec:
  cluster: east
  trustDomain: mesh.test
  stateDir: state
${spec}`;

const object = (kind: string, name: string, spec: string) =>
  `---\napiVersion: isthmus.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec:\n${spec}`;

const parse = (text: string) => parseConfig([{ file: '/etc/isthmus/isthmus.yaml', text }]);

function lines(text: string): string[] {
  const result = parse(text);
  return result.ok ? [] : result.violations.map((v) => formatViolation(v).replace('/etc/isthmus/isthmus.yaml:', ''));
}

test('fills in every default', () => {
  const result = parse(mesh());
  assert.ok(result.ok);
  assert.deepEqual(result.value.mesh.spec, {
    cluster: 'east',
    trustDomain: 'mesh.test',
    network: 'east',
    hostSuffix: 'mesh.internal',
    stateDir: '/etc/isthmus/state',
    store: { kind: 'embedded' },
    grpc: { listen: '0.0.0.0:15012', advertise: [] },
    api: { listen: '0.0.0.0:15014' },
    health: { listen: '127.0.0.1:15021' },
    identity: { svidTtlMs: 86_400_000, intermediateTtlMs: 7_776_000_000 },
    originate: { portRange: [16_000, 19_999], sources: [] },
    catalog: { expireAfterMs: 3_600_000, agentTtlMs: 15_000 },
    migrations: { maxConcurrent: 3 },
  });
  assert.ok(Object.isFrozen(result.value.mesh.spec.originate.portRange));
});

test('reads each kind of registry', () => {
  const text = [
    mesh('  network: net-a\n'),
    object('Registry', 'consul', '  type: consul\n  publish: true\n  connection: {url: "http://127.0.0.1:8500", tokenFile: t}\n'),
    object(
      'Registry',
      'nomad',
      '  type: nomad\n  connection: {url: "https://n:4646"}\n  mapping: {namespaceFrom: {meta: ns}, claims: ["*/*"]}\n',
    ),
    object('Registry', 'kube', '  type: kubernetes\n  mapping: {network: pods}\n'),
    object('Registry', 'files', '  type: file\n  connection: {path: ../services}\n'),
  ].join('');
  const result = parse(text);
  assert.ok(result.ok, lines(text).join('\n'));
  const specs = result.value.objects.flatMap((o) => (o.kind === 'Registry' ? [o.spec] : []));
  assert.deepEqual(
    specs.map((s) => s.connection),
    [
      { type: 'consul', url: 'http://127.0.0.1:8500', tokenFile: '/etc/isthmus/t' },
      { type: 'nomad', url: 'https://n:4646', namespace: '*' },
      { type: 'kubernetes', namespaces: [] },
      { type: 'file', path: '/etc/services' },
    ],
  );
  assert.deepEqual(
    specs.map((s) => s.rules.network),
    ['net-a', 'net-a', 'pods', 'net-a'],
  );
  assert.deepEqual(
    specs.map((s) => s.rules.namespaceFrom),
    [undefined, { meta: 'ns' }, 'native', 'native'],
  );
  assert.deepEqual(specs[0]?.rules, {
    namespace: 'default',
    rename: {},
    include: [],
    exclude: [],
    claims: [],
    network: 'net-a',
    protocol: 'tcp',
    serviceAccount: 'default',
    tlsMode: 'none',
    locality: '',
  });
  assert.deepEqual(
    specs.map((s) => s.publish),
    [true, false, false, false],
  );
});

test('lists all of ten mistakes with line, path and what was meant', () => {
  const text = `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: East}
spec:
  cluster: east
  trustDomian: example.org
  stateDir: state
  identity:
    svidTtl: 10 hours
  originate:
    portRange: 19999-16000
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata:
  name: consul
spec:
  type: cosnul
  mapping:
    protocol: htpp
    claims: [orders]
---
apiVersion: isthmus.dev/v1alpha1
kind: AccesPolicy
metadata: {name: admins}
spec: {}
---
apiVersion: isthmus.dev/v1alpha1
kind: ExportPolicy
metadata: {name: all}
spec:
  services: []
  audience: [west]
`;
  assert.deepEqual(lines(text), [
    '3: metadata.name: must be a DNS label: lower-case letters, digits and hyphens, at most 63, no hyphen at an end',
    '4: spec.trustDomain: is required',
    '6: spec.trustDomian: unknown field; did you mean trustDomain?',
    '9: spec.identity.svidTtl: "10 hours" is not a duration; write it as 15s, 24h or 7d',
    '11: spec.originate.portRange: must be a range of ports between 1 and 65535, the lower one first, such as 16000-19999',
    '18: spec.type: "cosnul" is none of consul, nomad, kubernetes, file; did you mean consul?',
    '20: spec.mapping.protocol: "htpp" is none of tcp, http, http2, grpc, tls; did you mean http?',
    '21: spec.mapping.claims[0]: must be NAMESPACE/NAME, with * as wildcard, such as default/orders or */*',
    '24: kind: "AccesPolicy" is no kind known here; did you mean AccessPolicy?',
    '32: spec.services: must name at least one service; * for all',
  ]);
});

test('checks objects against each other', () => {
  const text = [
    mesh(`  api: {listen: "0.0.0.0:16001"}
  health: {listen: "0.0.0.0:15012"}
  identity: {svidTtl: 500ms, intermediateTtl: 400ms}
`),
    mesh().replace(/^/, '---\n'),
    object('Peer', 'a', '  cluster: west\n'),
    object('Peer', 'a', '  cluster: west\n'),
    object('Peer', 'self', '  cluster: east\n'),
  ].join('');
  assert.deepEqual(lines(text), [
    '8: spec.api.listen: port 16001 is in spec.originate.portRange 16000-19999, which is for gateways',
    '9: spec.health.listen: is the address of spec.grpc too',
    '10: spec.identity.svidTtl: is out of bounds: 1s to 7d',
    '10: spec.identity.intermediateTtl: must be longer than svidTtl: no SVID may outlive its issuer',
    '13: kind: a second Mesh: the first is at /etc/isthmus/isthmus.yaml:1',
    '14: metadata.name: Mesh east is there already, at /etc/isthmus/isthmus.yaml:1',
    '28: metadata.name: Peer a is there already, at /etc/isthmus/isthmus.yaml:20',
    '30: spec.cluster: has a Peer object already, at /etc/isthmus/isthmus.yaml:20',
    '36: spec.cluster: is this cluster itself',
  ]);
});

test('short lifetimes are for trust domains under .test only', () => {
  const short = mesh('  identity: {svidTtl: 5s}\n');
  assert.deepEqual(lines(short), []);
  assert.deepEqual(lines(short.replace('mesh.test', 'mesh.example')), [
    '8: spec.identity.svidTtl: is out of bounds: 1h to 7d; shorter ones are for trust domains under .test',
  ]);
  assert.deepEqual(lines(short.replace('mesh.test', 'latest').replace('5s', '8d')).length, 1);
});

test('says what is wrong with a credential in the wrong place without repeating it', () => {
  const found = lines(
    [
      mesh(),
      object(
        'Registry',
        'a',
        '  type: consul\n  connection: {url: "http://u:hunter2@consul:8500", token: 00000000-1111-2222-3333-444444444444-5555}\n',
      ),
    ].join(''),
  );
  assert.deepEqual(found, [
    '14: spec.connection.url: must not hold a credential; put it into a file and name that file',
    '14: spec.connection.token: unknown field; did you mean tokenFile?',
  ]);
});

test('takes garbage for what it is, in every form', () => {
  const cases: [string, RegExp][] = [
    ['', /a Mesh object is missing/],
    ['just text', /must be a map of fields/],
    ['- a\n- b', /must be a map of fields, not a list/],
    ['a: [', /1: not valid YAML/],
    ['a: 1\na: 2', /not valid YAML: Map keys must be unique/],
    ['kind: Mesh\nspec: null', /spec: must be a map of fields, not nothing/],
    ['\u0000\u0001', /not valid YAML|must be a map/],
    [
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
        .split('')
        .map((k, i) => `${k}: &${k} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`)
        .join('\n')}`,
      /not valid YAML: Excessive alias/,
    ],
    ['x'.repeat(2_000_000), /larger than/],
  ];
  for (const [text, expected] of cases) assert.match(lines(text).join('\n'), expected);
});

test('one bad document hides no mistake of another, and no file hides another', () => {
  const result = parseConfig([
    { file: '/a.yaml', text: `${mesh()}---\nkind: [\n` },
    { file: '/b.yaml', text: object('Peer', 'p', '  cluster: WEST\n  adresses: []\n') },
  ]);
  assert.ok(!result.ok);
  assert.deepEqual(
    result.violations.map((v) => `${v.file}:${v.line}:${v.path}`),
    ['/a.yaml:10:', '/b.yaml:6:spec.cluster', '/b.yaml:7:spec.adresses'],
  );
});

test('publish where nothing can be registered from outside is a mistake, with what to do instead', () => {
  const nomad = object('Registry', 'r', '  type: nomad\n  publish: true\n  connection: {url: "http://127.0.0.1:4646"}\n');
  assert.match(lines(mesh() + nomad).join(), /spec\.publish: Nomad takes no registrations.*publish in the Consul/);
  const file = object('Registry', 'r', '  type: file\n  publish: true\n  connection: {path: ./services}\n');
  assert.match(lines(mesh() + file).join(), /spec\.publish: a folder is only read/);
});

test('takeover is off unless it is said, and goes with publish alone', () => {
  const consul = (more: string) => object('Registry', 'r', `  type: consul\n${more}  connection: {url: "http://127.0.0.1:8500"}\n`);
  assert.match(lines(mesh() + consul('  takeover: true\n')).join(), /spec\.takeover: takes nothing over .* publish: true/);
  assert.deepEqual(lines(mesh('  network: net-a\n') + consul('  publish: true\n  takeover: true\n')), []);
  const nomad = object('Registry', 'r', '  type: nomad\n  takeover: true\n  connection: {url: "http://127.0.0.1:4646"}\n');
  assert.match(lines(mesh() + nomad).join(), /spec\.takeover: Nomad takes no registrations/);
});

test('objects of a Registry: all of them, some, or none, and those of Kubernetes alone', () => {
  const registry = (objects: string, type = 'kubernetes', connection = '{}') =>
    object('Registry', 'r', `  type: ${type}\n  connection: ${connection}\n  objects: ${objects}\n`);
  const objectsOf = (objects: string) => {
    const result = parse(mesh() + registry(objects));
    assert.ok(result.ok, JSON.stringify(result));
    return result.value.objects.flatMap((o) => (o.kind === 'Registry' ? [o.spec.objects] : []))[0];
  };
  const all = { kinds: [], namespaces: ['*'] };
  assert.deepEqual(['true', '{}', 'false'].map(objectsOf), [all, all, undefined]);
  assert.deepEqual(objectsOf('{kinds: [Gateway], namespaces: []}'), { kinds: ['Gateway'], namespaces: [] });
  const wrong = lines(mesh() + registry('{kinds: [VirtualServices, Mesh], namespace: [shop], namespaces: [Shop]}'));
  assert.match(wrong.join('\n'), /kinds\[0\]: "VirtualServices" is none of .*did you mean VirtualService\?/);
  assert.match(wrong.join('\n'), /kinds\[1\]: "Mesh" is none of/);
  assert.match(wrong.join('\n'), /objects\.namespace: unknown field; did you mean namespaces\?/);
  assert.match(wrong.join('\n'), /namespaces\[0\]: must be a/);
  const others = lines(mesh() + registry('true', 'file', '{path: ./services}'));
  assert.match(others.join(), /spec\.objects: only registries of type kubernetes hold objects/);
});
