import assert from 'node:assert/strict';
import { request } from 'node:https';
import { connect } from 'node:net';
import test, { type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { Registry } from 'prom-client';
import { parseConfig } from '../../control/config/index.ts';
import { peerAuthenticationSchema, toPeerAuthentication } from '../../control/config/schema/peer-authentication.ts';
import { authorizationPolicies, authorize, callerPolicies, peerAuthentications } from '../../control/policy/index.ts';
import { compileAuthz } from '../../control/snapshot/build-service.ts';
import { createSnapshotBuilder, nativeDialect, type SnapshotInputs } from '../../control/snapshot/index.ts';
import type { AuthorizationPolicyObject, ExportPolicyObject, PeerAuthenticationObject } from '../../core/config/index.ts';
import { networkId, serviceKey } from '../../core/model/index.ts';
import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { createInbound, defaultLimits, StateStore } from '../../gateway/index.ts';
import { helloMessage, inRecords } from '../support/client-hello-bytes.ts';
import { EnvoyMesh, refusedUpdates, startApp, untilListening } from '../support/envoy-mesh.ts';
import { sceneInputs } from '../support/envoy-scene.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { endpoint, service } from '../support/mesh-records.ts';
import { deadPort, TestSockets } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
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

const doors = [
  { name: 'http', port: 80, protocol: 'http' },
  { name: 'raw', port: 81, protocol: 'tcp' },
  { name: 'other', port: 82, protocol: 'tcp' },
] as const;

/** Mode of all ports, mode of port 82, a policy beside them; and, by port, what comes of plaintext, mTLS, and TLS of the application's own. */
const modeCases: readonly [mode: string, of82: string, policy: string, answers: string][] = [
  ['STRICT', 'PERMISSIVE', '{rules: [{}]}', '80: closed ok closed, 81: closed ok closed, 82: ok ok app'],
  ['PERMISSIVE', 'DISABLE', '{rules: [{}]}', '80: ok ok closed, 81: ok ok app, 82: ok closed app'],
  ['DISABLE', 'STRICT', '{rules: [{}]}', '80: ok closed 400, 81: ok closed app, 82: closed ok closed'],
  [
    'PERMISSIVE',
    'UNSET',
    '{rules: [{from: [{source: {principals: ["*"]}}]}]}',
    '80: 403 ok closed, 81: closed ok closed, 82: closed ok closed',
  ],
  [
    'PERMISSIVE',
    'UNSET',
    '{rules: [{from: [{source: {ipBlocks: [127.0.0.2]}}]}]}',
    '80: 403 403 closed, 81: closed closed closed, 82: closed closed closed',
  ],
  [
    'PERMISSIVE',
    'UNSET',
    '{action: DENY, rules: [{from: [{source: {notPrincipals: ["*"]}}]}]}',
    '80: 403 ok closed, 81: closed ok closed, 82: closed ok closed',
  ],
  ['DISABLE', 'UNSET', '{rules: [{from: [{source: {ipBlocks: [127.0.0.1]}}]}]}', '80: ok closed 400, 81: ok closed app, 82: ok closed app'],
];

test('at an exposed port Envoy and our own end take plaintext, mTLS and other TLS alike, as PeerAuthentication has it', {
  timeout: 120_000,
}, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const app = await startApp(t, 'orders');
  const sockets = new TestSockets();
  onEnd(t, () => sockets.close());
  const { port: echo } = await sockets.serve((socket) => socket.pipe(socket));
  const scene = sceneInputs(pki, {
    services: [
      service('shop/orders', [endpoint('one', { address: '127.0.0.1', ports: { http: 1, raw: 1, other: 1 }, labels: { app: 'orders' } })], {
        ports: doors,
      }),
    ],
  });
  const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
  const inputsWith = ([mode, of82, spec]: (typeof modeCases)[number]) => {
    const written = peerAuthenticationSchema.parse({
      selector: { matchLabels: { app: 'orders' } },
      ...{ mtls: { mode }, portLevelMtls: { 82: { mode: of82 } } },
    });
    const modes: PeerAuthenticationObject = {
      ...{ kind: 'PeerAuthentication', name: 'p', namespace: 'shop', spec: toPeerAuthentication(written, { createdAt: 0 }) },
    };
    return { ...scene, policies: [...base, peerAuthentications([modes]), authorizationPolicies([policyOf(spec)])] };
  };
  const placesOf = async () =>
    Promise.all(doors.map(async (door) => ({ ...door, target: door.protocol === 'http' ? app.port : echo, expose: await deadPort() })));
  const [ours, theirs] = [await placesOf(), await placesOf()];
  const [first = modeCases[0]] = modeCases;
  assert.ok(first);
  mesh.update(inputsWith(first));
  const inboundPort = await deadPort();
  const services = theirs.map(({ port, protocol, target, expose }) => ({
    ...{ namespace: 'shop', name: 'orders', port, protocol, address: '127.0.0.1', target, expose: { address: '127.0.0.1', port: expose } },
  }));
  const envoy = await mesh.envoy('orders', { claims: { inbound: { address: '127.0.0.1', port: inboundPort, services } } });
  await untilListening(
    envoy,
    theirs.map(({ expose }) => `exposed|127.0.0.1|${expose}`),
  );
  const own = await ownEnd(t, pki, ours);
  const leaf = pki.forged('east', { uris: ['spiffe://mesh.test/ns/shop/sa/web'], dns: ['east.cluster.mesh.test'] });
  const certificate = { cert: certificatesToPem(leaf.chain), key: keyToPem(leaf.key) };
  const answers = async (places: typeof ours) => {
    const lines = places.map(async ({ port, protocol, expose }) => {
      const plain = protocol === 'http' ? 'GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n' : 'ping';
      const clear = answered((await tell(expose, Buffer.from(plain))).toString('latin1'));
      const servername = `outbound_.${port}_._.orders.shop.mesh.internal`;
      const secure = answered(await tellTls({ ...certificate, servername, port: expose }, plain));
      const foreign = await tell(expose, foreignHello);
      return `${port}: ${clear} ${secure} ${foreign.equals(foreignHello) ? 'app' : answered(foreign.toString('latin1'))}`;
    });
    return (await Promise.all(lines)).join(', ');
  };
  for (const each of modeCases) {
    const inputs = inputsWith(each);
    mesh.update(inputs);
    own.update(inputs);
    const [mode, of82, spec, expected] = each;
    assert.equal(await answers(ours), expected, `ours: ${mode} ${of82} ${spec}`);
    let last = '';
    await until(`Envoy to say the same for ${mode} ${of82} ${spec}`, async () => {
      last = await answers(theirs);
      return last === expected;
    }).catch((error: unknown) => assert.equal(last, expected, String(error)));
  }
  assert.equal(await refusedUpdates(envoy), 0);
});

const foreignHello = inRecords(helloMessage({ names: ['app.example.org'] }));

function answered(text: string): string {
  if (text === '') return 'closed';
  if (text === 'ping') return 'ok';
  const status = /^HTTP\/1\.1 ([0-9]{3})/.exec(text)?.[1] ?? text.slice(0, 20);
  return status === '200' ? 'ok' : status;
}

/** What comes back; empty: nothing. */
function tell(port: number, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port });
    const done = () => resolve(Buffer.concat(chunks));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      // The echo is whole; HTTP's answer ends with the connection.
      if (Buffer.concat(chunks).equals(bytes)) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', done);
    socket.setTimeout(3_000, () => socket.destroy());
    socket.write(bytes);
  });
}

function tellTls(
  own: { readonly cert: string; readonly key: string; readonly servername: string; readonly port: number },
  text: string,
): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connectTls({ ...own, host: '127.0.0.1', rejectUnauthorized: false });
    socket.on('secureConnect', () => socket.write(text));
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      if (answer === text) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
    socket.setTimeout(3_000, () => socket.destroy());
  });
}

/** Our own proxy at the same service, told what an agent would be told. */
async function ownEnd(
  t: TestContext,
  pki: MeshPki,
  places: readonly { port: number; protocol: 'http' | 'tcp'; target: number; expose: number }[],
) {
  const state = new StateStore();
  const inbound = createInbound({
    ...{ state, identity: pki.source('east', 'shop', 'orders'), clock: systemClock, random: () => 0, limits: defaultLimits },
    ...{ metrics: new Registry(), accessLog: () => {}, node: { cluster: 'east', instance: 'own' } },
  });
  onEnd(t, () => inbound.dispose());
  const hosts = ['orders.shop.mesh.internal'];
  inbound.serve(
    places.map(({ port, protocol, target, expose }) => ({
      ...{ namespace: 'shop', service: 'orders', hosts, port, protocol, appPort: target, expose: { address: '127.0.0.1', port: expose } },
    })),
  );
  await Promise.all(places.map(({ expose }) => inbound.expose({ address: '127.0.0.1', port: expose })));
  return {
    update: (inputs: SnapshotInputs) => {
      const key = serviceKey('shop', 'orders');
      const resource = buildFor(inputs, key);
      const { typeUrl, name, version, value } = resource;
      assert.deepEqual(
        state.apply({ typeUrl, changed: [{ name, version, any: { typeUrl, value: Buffer.from(value) } }], removed: [] }),
        [],
      );
    },
  };
}

/** The Authz resource that agents get. */
function buildFor(inputs: SnapshotInputs, key: ReturnType<typeof serviceKey>) {
  const builder = createSnapshotBuilder();
  builder.update(inputs);
  const snapshot = builder.snapshot({ kind: 'agent', network: networkId('east-net') });
  const sealed = snapshot.resources.authz.get(key);
  assert.ok(sealed);
  const [resource] = nativeDialect.translate(key, [sealed], { logging: undefined } as never);
  assert.ok(resource);
  return resource;
}

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
