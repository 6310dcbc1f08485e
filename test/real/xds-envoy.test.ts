import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import { grpcSource } from '../../core/xds/envoy/config-source.ts';
import { ApiConfigSource_ApiType, ApiVersion, ConfigSource } from '../../core/xds/gen/envoy/config/core/v3/config_source.ts';
import { envoyTypeUrls } from '../../core/xds/index.ts';
import {
  assignment,
  badCluster,
  badListener,
  edsCluster,
  httpListener,
  routeTo,
  trustSecret,
  unreadableCluster,
} from '../support/envoy-resources.ts';
import { ForeignPlane } from '../support/foreign-plane.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { type RunningEnvoy, startEnvoy } from './servers/index.ts';

const { secret, cluster, loadAssignment, listener, route } = envoyTypeUrls;
const pki = new MeshPki();
const stranger = new MeshPki('other.test');

type Variant = 'delta' | 'sotw';
interface Transport {
  readonly variant: Variant;
  readonly aggregated: boolean;
}

/** Where resources name others: the aggregated stream, or one of their own. No time-out hides that something never came. */
function sourceOf({ variant, aggregated }: Transport): ConfigSource {
  const never = { seconds: 0, nanos: 0 };
  if (aggregated) {
    const ads = { $case: 'ads' as const, value: {} };
    return ConfigSource.create({ configSourceSpecifier: ads, resourceApiVersion: ApiVersion.V3, initialFetchTimeout: never });
  }
  const own = {
    apiType: variant === 'delta' ? ApiConfigSource_ApiType.DELTA_GRPC : ApiConfigSource_ApiType.GRPC,
    transportApiVersion: ApiVersion.V3,
    grpcServices: [{ targetSpecifier: { $case: 'envoyGrpc' as const, value: { clusterName: 'xds' } } }],
  };
  const specifier = { $case: 'apiConfigSource' as const, value: own };
  return ConfigSource.create({ configSourceSpecifier: specifier, resourceApiVersion: ApiVersion.V3, initialFetchTimeout: never });
}

function bootstrapOf({ variant, aggregated }: Transport, port: number): Record<string, unknown> {
  const own = grpcSource(variant, 'xds');
  const source = { resource_api_version: 'V3', ...(aggregated ? { ads: {} } : { api_config_source: own }) };
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  const http2 = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }];
  return {
    node: { id: 'envoy-1', cluster: 'test' },
    dynamic_resources: { ...(aggregated ? { ads_config: own } : {}), cds_config: source, lds_config: source },
    static_resources: {
      clusters: [
        { name: 'xds', type: 'STATIC', typed_extension_protocol_options: http2, load_assignment: { cluster_name: 'xds', endpoints } },
      ],
    },
  };
}

/** An application behind TLS that answers with its name. */
async function startBackend(t: TestContext, name: string): Promise<number> {
  const svid = pki.svid('east', 'shop', name);
  const server = createServer({ cert: svid.chainPem, key: keyToPem(svid.key) }, (_request, response) => {
    // Each request shows what is trusted now.
    response.setHeader('connection', 'close');
    response.end(name);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function stat(envoy: RunningEnvoy, name: string): Promise<number> {
  const text = await (await fetch(`${envoy.adminUrl}/stats?filter=${encodeURIComponent(`^${name}$`)}`)).text();
  return Number(/: (\d+)/.exec(text)?.[1] ?? 0);
}

class Scene {
  readonly transport: Transport;
  readonly source: ConfigSource;
  readonly url: string;
  readonly #port: number;
  plane: ForeignPlane;
  readonly #current = new Map<string, readonly ReturnType<typeof assignment>[]>();

  constructor(transport: Transport, plane: ForeignPlane, port: number) {
    this.transport = transport;
    this.source = sourceOf(transport);
    this.plane = plane;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}/`;
  }

  set(types: Readonly<Record<string, readonly ReturnType<typeof assignment>[]>>): void {
    for (const [typeUrl, list] of Object.entries(types)) this.#current.set(typeUrl, list);
    this.plane.view.set(Object.fromEntries(this.#current));
  }

  cluster(name: string, timeoutSeconds = 5) {
    return edsCluster(name, this.source, { timeoutSeconds, secret: 'trust' });
  }

  listener(name = 'in', port = this.#port) {
    return httpListener(name, port, 'routes', this.source);
  }

  async answer(): Promise<string> {
    const response = await fetch(this.url, { headers: { connection: 'close' } });
    return response.status === 200 ? response.text() : `status ${response.status}`;
  }

  untilAnswers(name: string): Promise<unknown> {
    return until(`an answer of ${name}`, async () => {
      const got = await this.answer();
      if (got !== name) throw new Error(got);
      return true;
    });
  }

  /** A new control plane on the same port: streams break, Envoy comes back and says what it has. */
  async restartPlane(types: Readonly<Record<string, readonly ReturnType<typeof assignment>[]>>): Promise<void> {
    const { port } = this.plane;
    await this.plane.stop();
    this.plane = new ForeignPlane();
    this.set(types);
    await this.plane.start(port);
    await until('Envoy is back', () => this.plane.streams.clients().length > 0);
  }
}

async function serve(t: TestContext, transport: Transport): Promise<void> {
  const [one, two] = [await startBackend(t, 'one'), await startBackend(t, 'two')];
  const scene = new Scene(transport, await new ForeignPlane().start(), await deadPort());
  onEnd(t, () => scene.plane.stop());
  scene.set({
    [secret]: [trustSecret('trust', certificatesToPem([pki.root.certificate.der]))],
    [cluster]: [scene.cluster('a')],
    [loadAssignment]: [assignment('a', [one])],
    [listener]: [scene.listener()],
    [route]: [routeTo('routes', 'a')],
  });
  const envoy = await startEnvoy({ bootstrap: bootstrapOf(transport, scene.plane.port) });
  onEnd(t, () => envoy.stop());
  await scene.untilAnswers('one');
  assert.equal(await stat(envoy, '.*update_rejected'), 0);

  // Endpoints alone.
  scene.set({ [loadAssignment]: [assignment('a', [two])] });
  await scene.untilAnswers('two');

  // A cluster that changes though its endpoints do not must warm, and then serve.
  await warms(scene, envoy, scene.cluster('a', 6));
  await scene.restartPlane({});
  await warms(scene, envoy, scene.cluster('a', 7));
  assert.equal(await scene.answer(), 'two');

  // A secret is replaced in place.
  scene.set({ [secret]: [trustSecret('trust', certificatesToPem([stranger.root.certificate.der]))] });
  await until('the backend is not trusted any more', async () => (await scene.answer()) === 'status 503');
  scene.set({ [secret]: [trustSecret('trust', certificatesToPem([pki.root.certificate.der]))] });
  await scene.untilAnswers('two');

  // One bad cluster among good ones.
  scene.set({
    [cluster]: [scene.cluster('a', 7), badCluster('bad'), scene.cluster('b')],
    [loadAssignment]: [assignment('a', [two]), assignment('b', [one])],
    [route]: [routeTo('routes', 'b')],
  });
  await scene.untilAnswers('one');
  await until('the refusal is known', () => scene.plane.refused()['bad']);
  assert.deepEqual(Object.keys(scene.plane.refused()), ['bad']);
  assert.match(scene.plane.refused()['bad'] ?? '', /malformed|no-address|resolv/);
  assert.ok((await stat(envoy, 'cluster_manager.cds.update_rejected')) >= 1);
  assert.ok(scene.plane.dataAge() > 0);

  // One bad listener among good ones; the bad cluster is still there.
  const extra = await deadPort();
  scene.set({ [listener]: [scene.listener(), badListener('worse'), scene.listener('extra', extra)] });
  await until('the good one', async () => (await fetch(`http://127.0.0.1:${extra}/`)).status === 200);
  await until('the refusal is known', () => scene.plane.refused()['worse']);
  assert.deepEqual(Object.keys(scene.plane.refused()).sort(), ['bad', 'worse']);

  // Mended, everything is current again.
  scene.set({
    [cluster]: [scene.cluster('a', 7), scene.cluster('bad'), scene.cluster('b')],
    [loadAssignment]: [assignment('a', [two]), assignment('b', [one]), assignment('bad', [one])],
    [listener]: [scene.listener()],
  });
  await until('no refusal is left', () => Object.keys(scene.plane.refused()).length === 0);
  await until('the data is of now', () => scene.plane.dataAge() === 0);
}

async function warms(scene: Scene, envoy: RunningEnvoy, changed: ReturnType<typeof assignment>): Promise<void> {
  const before = await stat(envoy, 'cluster_manager.cluster_modified');
  scene.set({ [cluster]: [changed] });
  await until('the change has come', async () => (await stat(envoy, 'cluster_manager.cluster_modified')) > before);
  await until('nothing is warming', async () => (await stat(envoy, 'cluster_manager.warming_clusters')) === 0);
}

/** Traffic moves to a new cluster and the old one goes, while requests are made all the time. */
async function moves(t: TestContext, transport: Transport): Promise<void> {
  const [one, two] = [await startBackend(t, 'one'), await startBackend(t, 'two')];
  const scene = new Scene(transport, await new ForeignPlane().start(), await deadPort());
  onEnd(t, () => scene.plane.stop());
  scene.set({
    [secret]: [trustSecret('trust', certificatesToPem([pki.root.certificate.der]))],
    [cluster]: [scene.cluster('c0')],
    [loadAssignment]: [assignment('c0', [one])],
    [listener]: [scene.listener()],
    [route]: [routeTo('routes', 'c0')],
  });
  const envoy = await startEnvoy({ bootstrap: bootstrapOf(transport, scene.plane.port) });
  onEnd(t, () => envoy.stop());
  await scene.untilAnswers('one');
  for (let i = 1; i <= 20; i += 1) {
    const [name, port, expected] = [`c${i}`, i % 2 === 0 ? one : two, i % 2 === 0 ? 'one' : 'two'];
    scene.set({ [cluster]: [scene.cluster(name)], [loadAssignment]: [assignment(name, [port])], [route]: [routeTo('routes', name)] });
    await until(`the move to ${name}`, async () => {
      const got = await scene.answer();
      assert.ok(got === 'one' || got === 'two', `a request met ${got}`);
      return got === expected;
    });
  }
  await until('the old ones are gone', async () => (await stat(envoy, 'cluster_manager.active_clusters')) === 2);
  assert.equal(await stat(envoy, 'cluster_manager.cds.update_rejected'), 0);
}

for (const variant of ['delta', 'sotw'] as const) {
  for (const aggregated of [true, false]) {
    const name = `${variant}, ${aggregated ? 'aggregated' : 'a stream for each type'}`;
    test(`real Envoy over ${name}: changes, warming, rotation, refusals`, { timeout: 120_000 }, (t) => serve(t, { variant, aggregated }));
  }
  test(`real Envoy over ${variant}: no request fails while clusters replace each other`, { timeout: 120_000 }, (t) =>
    moves(t, { variant, aggregated: true }),
  );
  test(`real Envoy over ${variant}: a cluster that it cannot read holds nothing else up`, { timeout: 120_000 }, async (t) => {
    const plane = await new ForeignPlane().start();
    onEnd(t, () => plane.stop());
    const source = sourceOf({ variant, aggregated: true });
    plane.view.set({ [cluster]: [], [loadAssignment]: [], [listener]: [], [route]: [], [secret]: [] });
    const envoy = await startEnvoy({ bootstrap: bootstrapOf({ variant, aggregated: true }, plane.port) });
    onEnd(t, () => envoy.stop());
    plane.view.set({
      [cluster]: [edsCluster('good', source), unreadableCluster('nameless'), edsCluster('fine', source)],
      [loadAssignment]: [assignment('good', []), assignment('fine', [])],
    });
    await new Promise((r) => setTimeout(r, 3000));
    console.error(JSON.stringify(plane.streams.clients(), null, 1), await stat(envoy, 'cluster_manager.active_clusters'));
    await until('the good ones', async () => (await stat(envoy, 'cluster_manager.active_clusters')) === 3);
    await until('the refusal is known', () => plane.refused()['nameless']);
    assert.deepEqual(Object.keys(plane.refused()), ['nameless']);
  });
}
