import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { mtlsClientOptions, type Svid } from '../../core/identity/index.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { type WorkloadScene, workloadScene } from '../support/workload-scene.ts';
import { startEnvoy } from './servers/index.ts';

/** A user's own Envoy: it knows a socket and the names of secrets, and nothing else of the mesh. */
function bootstrap(socket: string, port: number, names: { readonly certificate: string; readonly trust: string }, apiType: string) {
  const sds = (name: string) => ({
    name,
    sds_config: {
      resource_api_version: 'V3',
      api_config_source: { api_type: apiType, transport_api_version: 'V3', grpc_services: [{ envoy_grpc: { cluster_name: 'sds' } }] },
    },
  });
  const common = { tls_certificate_sds_secret_configs: [sds(names.certificate)], validation_context_sds_secret_config: sds(names.trust) };
  const tls = { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', common_tls_context: common };
  const echo = { '@type': 'type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo' };
  return {
    node: { id: 'mine', cluster: 'mine' },
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: { socket_address: { address: '127.0.0.1', port_value: port } },
          filter_chains: [
            {
              transport_socket: { name: 'tls', typed_config: { ...tls, require_client_certificate: true } },
              filters: [{ name: 'echo', typed_config: echo }],
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'sds',
          type: 'STATIC',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'sds',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socket } } } }] }],
          },
        },
      ],
    },
  };
}

/** Serial of what Envoy shows to `svid`, after a byte has gone there and back; rejects when either is refused. */
async function echoed(scene: WorkloadScene, svid: Svid, port: number): Promise<string> {
  const target = { sni: 'any', uriSans: ['spiffe://mesh.test/ns/shop/sa/orders'], clusterSan: 'east.cluster.mesh.test' };
  const socket: TLSSocket = connect({
    ...mtlsClientOptions(svid, scene.pki.bundle, target, Date.now),
    socket: connectTcp(port, '127.0.0.1'),
  });
  try {
    await once(socket, 'secureConnect');
    socket.write('x');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.equal(answer.toString(), 'x');
    return socket.getPeerCertificate().serialNumber.toLowerCase().replace(/^0+/, '');
  } finally {
    socket.destroy();
  }
}

for (const [apiType, names] of [
  ['GRPC', { certificate: 'default', trust: 'ROOTCA' }],
  ['DELTA_GRPC', { certificate: 'spiffe://mesh.test/ns/shop/sa/orders', trust: 'spiffe://mesh.test' }],
] as const) {
  test(`an Envoy of the user's own gets its certificate and its trust by SDS, ${apiType}, and each renewal`, async (t) => {
    const scene = await workloadScene(t, { orders: { uid: [process.getuid?.() ?? 0] } });
    const port = await deadPort();
    const envoy = await startEnvoy({ bootstrap: bootstrap(scene.api.socket, port, names, apiType) });
    onEnd(t, () => envoy.stop());
    const [caller, source] = [scene.pki.svid('east', 'shop', 'web'), scene.sources.get('orders')];
    assert.ok(source !== undefined);
    assert.equal(await until('the first', () => echoed(scene, caller, port)), source.current().serial);
    source.set(scene.pki.svid('east', 'shop', 'orders'));
    const { serial } = source.current();
    await until('the renewed one', async () => (await echoed(scene, caller, port)) === serial);
    const foreign = await workloadScene(t, { web: {} });
    const stranger = foreign.sources.get('web')?.current();
    assert.ok(stranger !== undefined);
    await assert.rejects(echoed(scene, stranger, port));
  });
}

test('an Envoy of a user without an identity gets nothing', async (t) => {
  const scene = await workloadScene(t, { orders: { uid: [(process.getuid?.() ?? 0) + 1] } });
  const port = await deadPort();
  const envoy = await startEnvoy({ bootstrap: bootstrap(scene.api.socket, port, { certificate: 'default', trust: 'ROOTCA' }, 'GRPC') });
  onEnd(t, () => envoy.stop());
  const stats = async () => (await (await fetch(`${envoy.adminUrl}/stats?filter=sds`)).text()) ?? '';
  await until(
    'a refusal',
    async () => /sds.*update_failure: [1-9]/.test(await stats()) || /cluster\.sds\.upstream_rq_total: [1-9]/.test(await stats()),
  );
  await assert.rejects(echoed(scene, scene.pki.svid('east', 'shop', 'web'), port));
});
