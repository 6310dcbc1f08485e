import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { SettableSvidSource, svidKeyPem } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { certificatesToPem } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { Secret } from '../../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import { ListenerDiscoveryServiceClient } from '../../../core/xds/gen/envoy/service/listener/v3/lds.ts';
import { SecretDiscoveryServiceClient } from '../../../core/xds/gen/envoy/service/secret/v3/sds.ts';
import { discovery, envoyTypeUrls } from '../../../core/xds/index.ts';
import { startLocalServer } from '../../../gateway/envoy/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const { DeltaDiscoveryRequest } = discovery;
type Stream = ClientDuplexStream<discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse>;

async function served(t: TestContext) {
  const pki = new MeshPki();
  const identity = new SettableSvidSource(pki.svid('east', 'shop', 'web'), pki.bundle);
  let trust = pki.bundle;
  const socket = join(await temporaryDir(t), 'envoy', 'xds.sock');
  const server = await startLocalServer({ socket, identity, trust: () => trust, clock: systemClock, log: silentLog });
  onEnd(t, () => server.close());
  const trusting = (next: typeof trust) => {
    trust = next;
    server.refresh();
  };
  return { pki, identity, socket, server, trusting };
}

/** All that came, in order; each response is acknowledged. */
function subscribe(t: TestContext, stream: Stream, typeUrl: string, names: readonly string[]) {
  const came: discovery.DeltaDiscoveryResponse[] = [];
  stream.on('data', (response: discovery.DeltaDiscoveryResponse) => {
    came.push(response);
    stream.write(DeltaDiscoveryRequest.create({ typeUrl, responseNonce: response.nonce }));
  });
  stream.on('error', () => undefined);
  onEnd(t, () => stream.cancel());
  stream.write(
    DeltaDiscoveryRequest.create({
      node: { id: 'spiffe://mesh.test/ns/shop/sa/web#vm-1.envoy' },
      typeUrl,
      resourceNamesSubscribe: [...names],
    }),
  );
  return came;
}

function secrets(t: TestContext, socket: string, names: readonly string[]) {
  const client = new SecretDiscoveryServiceClient(`unix:${socket}`, credentials.createInsecure());
  onEnd(t, () => client.close());
  const came = subscribe(t, client.deltaSecrets(), envoyTypeUrls.secret, names);
  return () => came.flatMap(({ resources }) => resources.map(({ resource }) => Secret.decode(resource?.value ?? Buffer.alloc(0))));
}

test('the chain, the key and the anchors of the control plane come over a socket of the owner alone', async (t) => {
  const { pki, identity, socket } = await served(t);
  assert.equal((await stat(socket)).mode & 0o777, 0o600);
  assert.equal((await stat(join(socket, '..'))).mode & 0o777, 0o700);
  const got = secrets(t, socket, ['svid', 'control-bundle']);
  await until('both secrets', () => got().length === 2);
  const svid = got().find(({ name }) => name === 'svid')?.type;
  const bundle = got().find(({ name }) => name === 'control-bundle')?.type;
  assert.ok(svid?.$case === 'tlsCertificate' && bundle?.$case === 'validationContext');
  assert.equal(svid.value.privateKey?.specifier?.value, svidKeyPem(identity.current()));
  assert.equal(svid.value.certificateChain?.specifier?.value, identity.current().chainPem);
  // Under the root the control plane of any other cluster would pass as well.
  assert.equal(bundle.value.trustedCa?.specifier?.value, certificatesToPem([pki.cluster('east').certificate.der]));
});

test('a renewed SVID is sent in place, and a bundle that has another intermediate of the cluster', async (t) => {
  const { pki, identity, socket, trusting } = await served(t);
  const got = secrets(t, socket, ['svid', 'control-bundle']);
  await until('both secrets', () => got().length === 2);
  identity.set(pki.svid('east', 'shop', 'web'));
  const renewed = await until('the renewed one', () => got()[2]);
  assert.equal(renewed.name, 'svid');
  assert.ok(renewed.type?.$case === 'tlsCertificate');
  assert.equal(renewed.type.value.certificateChain?.specifier?.value, identity.current().chainPem);
  const other = new MeshPki().cluster('east').certificate.der;
  trusting({
    ...pki.bundle,
    intermediates: [
      { cluster: 'east', certificate: other },
      { cluster: 'west', certificate: pki.root.certificate.der },
    ],
  });
  const widened = await until('the wider bundle', () => got()[3]);
  assert.ok(widened.type?.$case === 'validationContext');
  assert.equal(widened.type.value.trustedCa?.specifier?.value, certificatesToPem([pki.cluster('east').certificate.der, other]));
});

test('listeners are unknown until they are set; what Envoy refuses is told in its own words', async (t) => {
  const { socket, server } = await served(t);
  const client = new ListenerDiscoveryServiceClient(`unix:${socket}`, credentials.createInsecure());
  onEnd(t, () => client.close());
  const stream = client.deltaListeners();
  const got: discovery.DeltaDiscoveryResponse[] = [];
  stream.on('data', (response: discovery.DeltaDiscoveryResponse) => {
    got.push(response);
    const errorDetail = { code: 13, message: "cannot bind '127.64.0.1:80': Address already in use", details: [] };
    stream.write(DeltaDiscoveryRequest.create({ typeUrl: envoyTypeUrls.listener, responseNonce: response.nonce, errorDetail }));
  });
  stream.on('error', () => undefined);
  onEnd(t, () => stream.cancel());
  stream.write(DeltaDiscoveryRequest.create({ node: { id: 'x' }, typeUrl: envoyTypeUrls.listener }));
  await until('the stream', () => server.streams() === 1);
  assert.deepEqual(got, []);
  server.listeners([{ name: 'outbound 127.64.0.1:80', version: '1', value: Buffer.from('') }]);
  const [refused] = await until('the refusal', () => (server.refused().length > 0 ? server.refused() : undefined));
  assert.deepEqual(
    { ...refused },
    {
      type: 'Listener',
      name: 'outbound 127.64.0.1:80',
      version: '1',
      reason: "cannot bind '127.64.0.1:80': Address already in use",
    },
  );
});

test('a path that no socket can have is refused with what to do', async (t) => {
  const pki = new MeshPki();
  const socket = join(await temporaryDir(t), 'x'.repeat(100), 'xds.sock');
  const options = { socket, identity: pki.source('east', 'shop', 'web'), trust: () => pki.bundle, clock: systemClock, log: silentLog };
  await assert.rejects(startLocalServer(options), /too long for a socket.*--state-dir/);
});
