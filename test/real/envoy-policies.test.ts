import assert from 'node:assert/strict';
import { request } from 'node:https';
import test from 'node:test';
import { parseConfig } from '../../control/config/index.ts';
import { authorizationPolicies, authorize, callerPolicies } from '../../control/policy/index.ts';
import { compileAuthz } from '../../control/snapshot/build-service.ts';
import type { AuthorizationPolicyObject, ExportPolicyObject } from '../../core/config/index.ts';
import { serviceKey } from '../../core/model/index.ts';
import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import { EnvoyMesh, refusedUpdates, startApp, untilListening } from '../support/envoy-mesh.ts';
import { sceneInputs } from '../support/envoy-scene.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { endpoint, service } from '../support/mesh-records.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { until } from '../support/until.ts';

const callers = [
  'east shop web',
  'east shop till',
  'east test-1 web',
  'west shop web',
  'west ops admin',
  'west isthmus-system gateway',
] as const;

/** What `spec` says, and whom of `callers` it lets in (by position). Neighbours differ, so that an answer tells which one is in force. */
const cases: readonly [spec: string, allowed: string][] = [
  ['{rules: [{}]}', 'yyyyyy'],
  ['{}', 'nnnnnn'],
  ['{rules: [{from: [{source: {principals: ["*/sa/web"]}}]}]}', 'ynyynn'],
  [
    '{rules: [{from: [{source: {principals: ["mesh.test/ns/shop/sa/web"], clusters: [west]}}, {source: {namespaces: ["test-*"]}}]}]}',
    'nnyynn',
  ],
  ['{rules: [{from: [{source: {notNamespaces: ["*-1", ops], notPrincipals: ["*till"]}}]}]}', 'ynnyny'],
  ['{action: DENY, rules: [{from: [{source: {clusters: [west], notPrincipals: ["*/sa/gateway"]}}]}]}', 'yyynny'],
  ['{action: DENY, rules: [{from: [{source: {namespaces: [shop]}}]}, {from: [{source: {principals: ["mesh.test/ns/ops/*"]}}]}]}', 'nnynny'],
  ['{action: DENY, rules: [{from: [{source: {notNamespaces: ["*"]}}]}]}', 'yyyyyy'],
  ['{action: DENY, rules: [{from: [{source: {principals: ["*"]}}]}]}', 'nnnnnn'],
];

const ports = [
  { name: 'http', port: 80, protocol: 'http' },
  { name: 'raw', port: 81, protocol: 'tcp' },
] as const;

function policyOf(spec: string): AuthorizationPolicyObject {
  const mesh =
    'apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {cluster: east, trustDomain: mesh.test, stateDir: s}\n';
  const object = `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec: ${spec}\n`;
  const parsed = parseConfig([{ file: 'isthmus.yaml', text: `${mesh}---\n${object}` }]);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const found = parsed.value.objects.find((o): o is AuthorizationPolicyObject => o.kind === 'AuthorizationPolicy');
  assert.ok(found);
  return found;
}

const toWest: ExportPolicyObject = {
  kind: 'ExportPolicy',
  name: 'all',
  namespace: '*',
  spec: { services: ['*'], labels: {}, audience: ['west'] },
};

test('real Envoy lets in whom Istio’s policies let in, by principal, namespace and cluster, and so do our own ends', {
  timeout: 180_000,
}, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const app = await startApp(t, 'orders');
  const port = await deadPort();
  const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [toWest], peers: new Map([['west', ['*']]]) });
  const scene = sceneInputs(pki, {
    services: [service('shop/orders', [endpoint('one', { address: '127.0.0.1', ports: { http: port, raw: port } })], { ports })],
  });
  const inputsWith = (spec: string) => ({ ...scene, policies: [...base, authorizationPolicies([policyOf(spec)])] });
  mesh.update(inputsWith('{}'));
  const served = { namespace: 'shop', name: 'orders', address: '127.0.0.1', target: app.port };
  const services = ports.map(({ port, protocol }) => ({ ...served, port, protocol }));
  const envoy = await mesh.envoy('orders', { claims: { inbound: { address: '127.0.0.1', port, services } } });
  await untilListening(envoy, ['inbound']);
  const leaves = callers.map((text) => {
    const [cluster = '', namespace = '', account = ''] = text.split(' ');
    const leaf = pki.forged(cluster, { uris: [`spiffe://mesh.test/ns/${namespace}/sa/${account}`], dns: [`${cluster}.cluster.mesh.test`] });
    const caller = { principal: `mesh.test/ns/${namespace}/sa/${account}`, namespace, cluster };
    return { caller, cert: certificatesToPem(leaf.chain), key: keyToPem(leaf.key) };
  });
  const answers = async (of: number, refused: number | 'closed') =>
    (await Promise.all(leaves.map(({ cert, key }) => statusOf({ cert, key, port }, of))))
      .map((s) => (s === 200 ? 'y' : s === refused ? 'n' : '?'))
      .join('');

  for (const [spec, allowed] of cases) {
    const inputs = inputsWith(spec);
    mesh.update(inputs);
    const orders = inputs.view.services.get(serviceKey('shop', 'orders'));
    assert.ok(orders);
    const { rules } = compileAuthz(orders, inputs);
    assert.equal(leaves.map(({ caller }) => (authorize(rules, caller).allowed ? 'y' : 'n')).join(''), allowed, `ours: ${spec}`);
    await until(`Envoy to say ${allowed} for ${spec}`, async () => (await answers(80, 403)) === allowed);
    await until(`Envoy to say ${allowed} for ${spec} before plain TCP`, async () => (await answers(81, 'closed')) === allowed);
  }
  assert.equal(await refusedUpdates(envoy), 0);
});

/** Of the service port `of`. */
function statusOf(own: { readonly cert: string; readonly key: string; readonly port: number }, of: number): Promise<number | 'closed'> {
  const servername = `outbound_.${of}_._.orders.shop.mesh.internal`;
  return new Promise((resolve) => {
    const options = { ...own, host: '127.0.0.1', servername, rejectUnauthorized: false, agent: false, path: '/' };
    const sent = request(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', () => resolve('closed'));
    sent.end();
  });
}
