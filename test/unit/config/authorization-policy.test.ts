import assert from 'node:assert/strict';
import test from 'node:test';
import { parseConfig } from '../../../control/config/index.ts';
import type { AuthorizationPolicyObject } from '../../../core/config/index.ts';

const mesh = `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec: {cluster: east, trustDomain: mesh.test, stateDir: state}
`;

const policy = (
  spec: string,
  envelope = 'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}',
) => `${mesh}---\n${envelope}\nspec: ${spec}\n`;

function parsed(text: string): AuthorizationPolicyObject['spec'] | string[] {
  const result = parseConfig([{ file: 'isthmus.yaml', text }]);
  if (!result.ok) return result.violations.map((v) => `${v.path}: ${v.message}`);
  const found = result.value.objects.find((o): o is AuthorizationPolicyObject => o.kind === 'AuthorizationPolicy');
  assert.ok(found);
  return found.spec;
}

const source = (more: object) => ({ principals: [], notPrincipals: [], namespaces: [], notNamespaces: [], clusters: [], ...more });
const from = (text: string) => `{rules: [{from: [{source: ${text}}]}]}`;

const good: readonly [spec: string, expected: object][] = [
  ['{}', { selector: {}, action: 'ALLOW', rules: [] }],
  ['{rules: []}', { selector: {}, action: 'ALLOW', rules: [] }],
  ['{rules: [{}]}', { selector: {}, action: 'ALLOW', rules: [{ from: [] }] }],
  ['{action: DENY, rules: [{}]}', { selector: {}, action: 'DENY', rules: [{ from: [] }] }],
  ['{selector: {}, rules: []}', { selector: {}, action: 'ALLOW', rules: [] }],
  ['{selector: {matchLabels: {app: web, tier: ""}}}', { selector: { app: 'web', tier: '' }, action: 'ALLOW', rules: [] }],
  ...[
    'mesh.test/ns/shop/sa/web',
    '*',
    'mesh.test/ns/shop/*',
    'mesh.test/*',
    'mesh*',
    '*/sa/web',
    '*web',
    '*/ns/shop/sa/web',
    '*s/shop/sa/w.b',
  ].map((p): [string, object] => [
    from(`{principals: ["${p}"]}`),
    { selector: {}, action: 'ALLOW', rules: [{ from: [source({ principals: [p] })] }] },
  ]),
  [
    from('{namespaces: [shop, "team-*"], notNamespaces: ["*-test"], notPrincipals: ["*/sa/default"], clusters: [east, "*"]}'),
    {
      selector: {},
      action: 'ALLOW',
      rules: [
        {
          from: [
            source({
              namespaces: ['shop', 'team-*'],
              notNamespaces: ['*-test'],
              notPrincipals: ['*/sa/default'],
              clusters: ['east', '*'],
            }),
          ],
        },
      ],
    },
  ],
];

for (const [spec, expected] of good) {
  test(`policy taken: ${spec}`, () => assert.deepEqual(parsed(policy(spec)), expected));
}

const to = (operation: string) => `{rules: [{to: [{operation: ${operation}}]}]}`;
const when = (condition: string) => `{rules: [{when: [${condition}]}]}`;
const at = 'spec.rules[0].from[0].source';
const bad: readonly [spec: string, violations: readonly RegExp[]][] = [
  ['{action: DENY}', [/^spec\.rules: must hold a rule: DENY without any denies nobody$/]],
  ['{action: AUDIT}', [/^spec\.rules: must hold a rule: AUDIT without any marks nothing$/]],
  [
    '{action: CUSTOM, provider: {name: x}}',
    [/^spec\.action: CUSTOM is not supported/, /^spec\.provider: is not supported, and is never ignored/],
  ],
  ['{action: allow}', [/^spec\.action: "allow" is none of ALLOW, DENY, AUDIT$/]],
  [
    to('{paths: ["/a//b", "/a%2Fb", "/a?x", "/{*}/{**}/x{*}", "/{**}/{*}", "*/a/*", "/../a"], notMethods: ["G T"]}'),
    [
      /paths\[0\]: can never match: paths are compared after normalisation/,
      /paths\[1\]: can never match/,
      /paths\[2\]: can never match: paths are compared without query/,
      /paths\[3\]: a segment of a template/,
      /paths\[4\]: \{\*\*\} must be the last/,
      /paths\[5\]: may have one \*/,
      /paths\[6\]: can never match/,
      /notMethods\[0\]: can never match/,
    ],
  ],
  [
    to('{hosts: ["https://a"], ports: ["0", "a", "65536"]}'),
    [/hosts\[0\]: can never/, /ports\[0\]/, /ports\[1\]/, /ports\[2\]: must be a port/],
  ],
  [to('{}'), [/operation: must hold a condition; a rule for everything has no to$/]],
  [when('{key: a, values: [b]}'), [/^spec\.rules\[0\]\.when\[0\]\.key: is none of source\.ip, /]],
  [when('{key: remote.ip, values: [10.0.0.0/8]}'), [/key: is not supported: nothing tells which hops/]],
  [when('{key: "experimental.envoy.filters.x[y]", values: [b]}'), [/key: is not supported: nothing of Envoy alone/]],
  [
    when('{key: source.ip, values: [b], notValues: [10.0.0.0/33]}'),
    [/values\[0\]: must be an address/, /notValues\[0\]: must be an address/],
  ],
  [when('{key: "request.headers[x-a]"}'), [/when\[0\]: must hold values or notValues$/]],
  [when('{key: "request.headers[:path]", values: [b]}'), [/key: is none of/]],
  ['{rules: [{from: []}]}', [/^spec\.rules\[0\]\.from: must name at least one source; leave it out for anybody$/]],
  ['{rules: [{from: [{}]}]}', [/^spec\.rules\[0\]\.from\[0\]\.source: is required$/]],
  [from('{}'), [/source: must hold a condition; a rule for anybody has no from$/]],
  [from('{principals: []}'), [/principals: must name at least one/]],
  [
    from('{ipBlocks: [10.0.0.0/8, 10.0.0.0/08, a, fe80::1%eth0]}'),
    [/ipBlocks\[1\]: must be an/, /ipBlocks\[2\]: must be/, /ipBlocks\[3\]: must be/],
  ],
  [from('{remoteIpBlocks: [10.0.0.0/8]}'), [/remoteIpBlocks: is not supported/]],
  [from('{requestPrincipals: ["a*b"]}'), [/requestPrincipals\[0\]: may have one \*/]],
  [from('{serviceAccounts: ["shop/*"]}'), [/serviceAccounts\[0\]: must be SERVICE_ACCOUNT/]],
  [from('{principal: [a]}'), [/principal: unknown field; did you mean principals\?$/]],
  [from('{principals: ["spiffe://mesh.test/ns/shop/sa/web"]}'), [/principals\[0\]: must not hold the scheme/]],
  [
    from('{principals: ["cluster.local/ns/shop/sa/web"]}'),
    [
      /principals\[0\]: can never match: the trust domain of this mesh is mesh\.test, and has no alias; name [a-z.]+ in a FederatedTrustDomain/,
    ],
  ],
  [from('{notPrincipals: ["cluster.local/*"]}'), [/notPrincipals\[0\]: can never match: the trust domain/]],
  [from('{principals: ["shop/web"]}'), [/principals\[0\]: can never match: principals are TRUST_DOMAIN/]],
  [from('{principals: ["mesh.test/shop/*"]}'), [/principals\[0\]: can never match/]],
  [from('{principals: ["*/shop/web"]}'), [/principals\[0\]: can never match/]],
  [from('{principals: ["*web*"]}'), [/principals\[0\]: may have one \*, alone, at the beginning or at the end$/]],
  [from('{principals: ["mesh.test/ns/*/sa/web"]}'), [/principals\[0\]: may have one \*/]],
  [from('{principals: [""]}'), [/principals\[0\]: must not be empty/]],
  [from('{namespaces: [Shop]}'), [/namespaces\[0\]: can never match: names are lower-case/]],
  [from('{clusters: ["a*b"]}'), [/clusters\[0\]: may have one \*/]],
  ['{selector: {matchLabels: {"a*": b}}}', [/^spec\.selector\.matchLabels\S*: /]],
  ['{selector: {matchLabels: {a: "*"}}}', [/^spec\.selector\.matchLabels\.a: must not hold a \*/]],
  ['{targetRefs: [{kind: Gateway, name: g}]}', [/^spec\.targetRefs\[0\]\.kind: only Service/]],
  ['{selector: {matchLabels: {a: b}}, targetRefs: [{kind: Service, name: g}]}', [/^spec\.targetRefs: must not stand beside selector$/]],
  ['{rules: }', [/^spec\.rules: must be a list, not nothing$/]],
  [
    '{action: LOG, rules: [{to: [], from: [{source: {principals: ["a*b"], ipBlocks: []}}]}], targetRef: {}}',
    [/^spec\.action: /, /principals\[0\]: /, /ipBlocks: must name at least one/, /rules\[0\]\.to: /, /^spec\.targetRef: /],
  ],
];

for (const [spec, expected] of bad) {
  test(`policy refused: ${spec}`, () => {
    const got = parsed(policy(spec));
    assert.ok(Array.isArray(got), JSON.stringify(got));
    assert.equal(got.length, expected.length, got.join('\n'));
    for (const pattern of expected)
      assert.ok(
        got.some((line) => pattern.test(line)),
        `${pattern} in\n${got.join('\n')}`,
      );
    assert.ok(got.every((line) => !line.includes(`${at}.undefined`)));
  });
}

test('what is asked for and how becomes one condition of its rule; a service account is of the namespace of its policy', () => {
  const spec = `{action: AUDIT, targetRefs: [{kind: Service, name: orders}], rules: [{
    from: [{source: {notClusters: [west], ipBlocks: [10.0.0.1], serviceAccounts: [web, ops/a]}}],
    to: [{operation: {methods: [GET], paths: ["/a/{*}"]}}, {operation: {notPorts: ["81"]}}],
    when: [{key: "request.auth.claims[groups][eu]", values: [admin], notValues: [x]}, {key: "request.headers[X-Tenant]", values: ["a*"]}]
  }]}`;
  const test = (attribute: string, patterns: readonly string[], names: readonly string[] = []) => ({
    kind: 'test',
    attribute,
    names,
    patterns,
  });
  const not = (of: unknown) => ({ kind: 'not', of });
  const accounts = test('service-account', ['ops/a', 'shop/web']);
  const more = { kind: 'all', of: [not(test('cluster', ['west'])), test('source-ip', ['10.0.0.1/32']), accounts] };
  const operations = [{ kind: 'all', of: [test('method', ['GET']), test('path', ['/a/{*}'])] }, not(test('port', ['81']))];
  const way = ['groups', 'eu'];
  const claims = { kind: 'all', of: [test('claim', ['admin'], way), not(test('claim', ['x'], way))] };
  const further = { kind: 'all', of: [{ kind: 'any', of: operations }, claims, test('header', ['a*'], ['x-tenant'])] };
  assert.deepEqual(parsed(policy(spec)), {
    selector: {},
    services: ['orders'],
    action: 'AUDIT',
    rules: [{ from: [{ ...source({}), more }], when: further }],
  });
});

test('both of the names of the schema; a name as Kubernetes has them; no other version and no own kind under it', () => {
  const envelope = (version: string, name: string) => `apiVersion: ${version}\nkind: AuthorizationPolicy\nmetadata: {name: ${name}}`;
  for (const version of ['security.istio.io/v1', 'security.istio.io/v1beta1']) {
    assert.ok(!Array.isArray(parsed(policy('{}', envelope(version, 'allow.web')))));
  }
  assert.deepEqual(parsed(policy('{}', envelope('isthmus.dev/v1alpha1', 'p'))), ['apiVersion: must be security.istio.io/v1']);
  const wrong = parsed(policy('{}', 'apiVersion: security.istio.io/v1\nkind: ExportPolicy\nmetadata: {name: p}'));
  assert.ok(Array.isArray(wrong) && wrong.includes('apiVersion: must be isthmus.dev/v1alpha1'), String(wrong));
});
