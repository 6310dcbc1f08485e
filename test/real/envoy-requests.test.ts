import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Registry } from 'prom-client';
import { parseConfig } from '../../control/config/index.ts';
import { authorizationPolicies, callerPolicies, requestAuthentications } from '../../control/policy/index.ts';
import { compileAuthz } from '../../control/snapshot/build-service.ts';
import { nativeDialect, type SnapshotInputs } from '../../control/snapshot/index.ts';
import { seal } from '../../control/snapshot/seal.ts';
import type { AuthorizationPolicyObject, RequestAuthenticationObject } from '../../core/config/index.ts';
import { serviceKey } from '../../core/model/index.ts';
import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { createInbound, defaultLimits, StateStore } from '../../gateway/index.ts';
import { EnvoyMesh, refusedUpdates, untilListening } from '../support/envoy-mesh.ts';
import { sceneInputs } from '../support/envoy-scene.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { endpoint, service } from '../support/mesh-records.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { issuer, type PolicyCase, policyCases } from './authorization/policies.ts';
import { type Asked, Caller, type Peer, requests } from './authorization/requests.ts';

const ports = [
  { name: 'http', port: 80, protocol: 'http' },
  { name: 'raw', port: 81, protocol: 'tcp' },
] as const;

/** Says what it was asked. */
async function echoApp(t: TestContext): Promise<number> {
  const server: Server = createServer((request, response) => {
    const { authorization, 'x-sub': sub, 'x-payload': payload, 'x-token': token } = request.headers;
    const saw = [
      request.method,
      request.url,
      authorization === undefined ? '' : 'token',
      sub,
      payload === undefined ? '' : 'payload',
      token,
    ];
    const text = saw.map((each) => String(each ?? '').slice(0, 60)).join('|');
    response.writeHead(200, { 'content-length': Buffer.byteLength(text) }).end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function issued() {
  const key = async (kid: string) => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256' }, kid };
  };
  const [own, other] = [await key('own'), await key('own')];
  const now = Math.floor(Date.now() / 1_000);
  const sign = (claims: object, by = own) =>
    new SignJWT({ iss: issuer, exp: now + 600, ...claims }).setProtectedHeader({ alg: 'ES256', kid: by.kid }).sign(by.privateKey);
  const alice = { sub: 'alice', aud: ['orders', 'x'], scope: 'read write', groups: { eu: ['admin'], us: 'reader' } };
  const tokens = {
    alice: await sign(alice),
    bob: await sign({ sub: 'bob', aud: 'till', scope: 'read' }),
    expired: await sign({ ...alice, exp: now - 120 }),
    forged: await sign(alice, other),
    stranger: await sign({ ...alice, iss: 'https://stranger.test' }),
  };
  return { tokens, jwks: JSON.stringify({ keys: [own.jwk] }) };
}

/** As files would say it, one service for each case. */
function configOf(cases: readonly PolicyCase[], jwks: string) {
  const object = (kind: string, i: number, spec: object, n = 0) => ({
    apiVersion: 'security.istio.io/v1',
    kind,
    metadata: { name: `case-${i}-${n}`, namespace: 'shop' },
    spec: { ...spec, targetRefs: [{ kind: 'Service', group: '', name: `s${i}` }] },
  });
  const mesh = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Mesh',
    metadata: { name: 'east' },
    spec: { cluster: 'east', trustDomain: 'mesh.test', stateDir: 's' },
  };
  const objects = cases.flatMap(({ policies, jwtRules }, i) => [
    ...policies.map((spec, n) => object('AuthorizationPolicy', i, spec, n)),
    ...(jwtRules === undefined ? [] : [object('RequestAuthentication', i, { jwtRules: jwtRules.map((rule) => ({ ...rule, jwks })) })]),
  ]);
  const text = [mesh, ...objects].map((each) => JSON.stringify(each)).join('\n---\n');
  const parsed = parseConfig([{ file: 'isthmus.yaml', text }]);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value.objects;
}

test('our own end of mTLS and Envoy answer the same on the same policies, request by request', { timeout: 200_000 }, async (t) => {
  const cases = policyCases(30);
  const { tokens, jwks } = await issued();
  const objects = configOf(cases, jwks);
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const appPort = await echoApp(t);
  const port = await deadPort();
  const at = { address: '127.0.0.1', ports: { http: port, raw: port } };
  const services = cases.map((_, i) => service(`shop/s${i}`, [endpoint(`e${i}`, at)], { ports }));
  const policies = [
    ...callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() }),
    authorizationPolicies(objects.filter((o): o is AuthorizationPolicyObject => o.kind === 'AuthorizationPolicy')),
    requestAuthentications(
      objects.filter((o): o is RequestAuthenticationObject => o.kind === 'RequestAuthentication'),
      () => undefined,
    ),
  ];
  const inputs: SnapshotInputs = { ...sceneInputs(pki, { services }), policies };
  mesh.update(inputs);
  const served = cases.flatMap((_, i) =>
    ports.map(({ port: of, protocol }) => ({
      namespace: 'shop',
      name: `s${i}`,
      port: of,
      protocol,
      address: '127.0.0.1',
      target: appPort,
    })),
  );
  const envoy = await mesh.envoy('orders', { claims: { inbound: { address: '127.0.0.1', port, services: served } } });
  const ownPort = await startOwn(t, pki, inputs, cases.length, appPort);
  await untilListening(envoy, ['inbound']);

  const leaves = ['shop web', 'shop till', 'ops admin'].map((text) => {
    const [namespace = '', account = ''] = text.split(' ');
    const leaf = pki.forged('east', { uris: [`spiffe://mesh.test/ns/${namespace}/sa/${account}`], dns: ['east.cluster.mesh.test'] });
    return { cert: certificatesToPem(leaf.chain), key: keyToPem(leaf.key) };
  });
  const groups = grouped();
  const differing: string[] = [];
  const outcomes = new Map<string, number>();
  const play = async (each: PolicyCase, i: number): Promise<void> => {
    await Promise.all(
      groups.flatMap(({ caller, source, asked }) =>
        ports.map(async ({ port: of, protocol }) => {
          const servername = `outbound_.${of}_._.s${i}.shop.mesh.internal`;
          const peer = (to: number): Peer => ({ ...(leaves[caller] ?? { cert: '', key: '' }), port: to, servername });
          const [ours, theirs] = [new Caller(peer(ownPort), source), new Caller(peer(port), source)];
          // A byte stream is told apart by its caller alone.
          for (const one of protocol === 'http' ? asked : asked.slice(0, 1)) {
            const [own, envoys] = await Promise.all([ours.ask(one, tokens), theirs.ask(one, tokens)]);
            const status = `${protocol} ${own.split(' ', 1)[0]}`;
            outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
            if (own !== envoys) differing.push(JSON.stringify({ each, one, of, own, envoys }));
          }
          ours.close();
          theirs.close();
        }),
      ),
    );
  };
  const atOnce = 12;
  for (let i = 0; i < cases.length; i += atOnce) {
    await Promise.all(cases.slice(i, i + atOnce).map((each, n) => play(each, i + n)));
  }
  assert.deepEqual(differing, [], `${differing.length} differ`);
  t.diagnostic(JSON.stringify([...outcomes]));
  for (const status of ['http 200', 'http 403', 'http 401', 'http 400', 'tcp 200', 'tcp closed']) {
    assert.ok((outcomes.get(status) ?? 0) >= 10, `${status} is seen too seldom: ${JSON.stringify([...outcomes])}`);
  }
  assert.equal(await refusedUpdates(envoy), 0);
});

/** By who asks, and from where. */
function grouped() {
  const groups = new Map<string, { caller: number; source: string; asked: Asked[] }>();
  for (const one of requests) {
    const { caller = 0, source = '127.0.0.1' } = one;
    const group = groups.get(`${caller} ${source}`) ?? { caller, source, asked: [] };
    groups.set(`${caller} ${source}`, group);
    group.asked.push(one);
  }
  return [...groups.values()];
}

/** Our own end, fed with the bytes that the control plane would send. */
async function startOwn(t: TestContext, pki: MeshPki, inputs: SnapshotInputs, count: number, appPort: number): Promise<number> {
  const state = new StateStore();
  const inbound = createInbound({
    state,
    identity: pki.source('east', 'shop', 'orders'),
    clock: systemClock,
    random: () => 0,
    limits: defaultLimits,
    metrics: new Registry(),
    accessLog: () => {},
    node: { cluster: 'east', instance: 'own' },
  });
  onEnd(t, () => inbound.dispose());
  for (let i = 0; i < count; i += 1) {
    const key = serviceKey('shop', `s${i}`);
    const found = inputs.view.services.get(key);
    assert.ok(found);
    const { rules, tokens } = compileAuthz(found, inputs);
    const sealed = seal('authz', key, { rules, ...(tokens === undefined ? {} : { tokens }) });
    const [resource] = nativeDialect.translate(key, [sealed], { logging: undefined } as never);
    assert.ok(resource);
    const { typeUrl, name, version, value } = resource;
    assert.deepEqual(state.apply({ typeUrl, changed: [{ name, version, any: { typeUrl, value: Buffer.from(value) } }], removed: [] }), []);
  }
  inbound.serve(
    Array.from({ length: count }, (_, i) =>
      ports.map(({ port, protocol }) => ({
        namespace: 'shop',
        service: `s${i}`,
        hosts: [`s${i}.shop.mesh.internal`],
        port,
        protocol,
        appPort,
      })),
    ).flat(),
  );
  return (await inbound.listen({ address: '127.0.0.1', port: 0 })).port;
}
