import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { credentials, type ServiceError, status } from '@grpc/grpc-js';
import { SettableSvidSource } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock as clock } from '../../../core/system-clock.ts';
import type { FlowEntry } from '../../../core/xds/envoy/index.ts';
import { Node } from '../../../core/xds/gen/envoy/config/core/v3/base.ts';
import {
  AccessLogCommon,
  AccessLogType,
  HTTPAccessLogEntry,
  HTTPRequestProperties,
  HTTPResponseProperties,
  TCPAccessLogEntry,
} from '../../../core/xds/gen/envoy/data/accesslog/v3/accesslog.ts';
import { AccessLogServiceClient, StreamAccessLogsMessage } from '../../../core/xds/gen/envoy/service/accesslog/v3/als.ts';
import { startLocalServer } from '../../../gateway/envoy/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

/** The node of shop/orders, and an Envoy that says it is `id`. */
async function scene(t: TestContext) {
  const pki = new MeshPki();
  const seen: (FlowEntry & { readonly inbound: boolean })[] = [];
  const socket = join(await temporaryDir(t), 'xds.sock');
  const identity = new SettableSvidSource(pki.svid('east', 'shop', 'orders'), pki.bundle);
  const flows = { entry: (entry: FlowEntry, inbound: boolean) => void seen.push({ ...entry, inbound }) };
  const local = await startLocalServer({ socket, identity, trust: () => pki.bundle, flows, clock, log: silentLog });
  onEnd(t, () => local.close());
  const client = new AccessLogServiceClient(`unix:${socket}`, credentials.createInsecure());
  onEnd(t, () => client.close());
  const open = () => {
    let outcome: ServiceError | 'ended' | undefined;
    const call = client.streamAccessLogs((error) => {
      outcome = error ?? 'ended';
    });
    call.on('error', () => {});
    return { call, outcome: () => until('the end', () => outcome) };
  };
  return { seen, open };
}

function hello(id: string, logName = 'caller'): StreamAccessLogsMessage {
  return StreamAccessLogsMessage.create({ identifier: { node: Node.create({ id }), logName } });
}

const tags = { flags: '-', grpc: '-', cluster: 'west', locality: 'eu/a/1', runtime: 'nomad', via: 'gateway' };

function request(more: Partial<AccessLogCommon> = {}, code = 200): StreamAccessLogsMessage {
  const commonProperties = AccessLogCommon.create({
    upstreamCluster: 'outbound|80|v2|pay.shop.mesh.internal',
    upstreamRemoteAddress: {},
    routeName: 'shop/pay/r',
    upstreamRequestAttemptCount: 2,
    duration: { seconds: 1, nanos: 500_000_000 },
    customTags: tags,
    ...more,
  });
  const response = HTTPResponseProperties.create({ responseCode: code, responseBodyBytes: 7 });
  const entry = HTTPAccessLogEntry.create({ commonProperties, request: HTTPRequestProperties.create({ requestBodyBytes: 3 }), response });
  return StreamAccessLogsMessage.create({ logEntries: { $case: 'httpLogs', value: { logEntry: [entry] } } });
}

test('an Envoy of the node is counted: place, route, group, code, flags, bytes and time', async (t) => {
  const { seen, open } = await scene(t);
  const { call, outcome } = open();
  call.write({ ...request(), identifier: hello('spiffe://mesh.test/ns/shop/sa/orders#orders.envoy').identifier });
  call.write(request({ customTags: { ...tags, flags: 'UF,URX', grpc: '14' }, upstreamRemoteAddress: undefined }, 503));
  const connectionProperties = { receivedBytes: 5, sentBytes: 9 };
  const passed = AccessLogCommon.create({ upstreamCluster: 'outbound_.80_._.pay.shop.mesh.internal', upstreamRemoteAddress: {} });
  const tcp = TCPAccessLogEntry.create({ commonProperties: passed, connectionProperties });
  const began = { ...passed, accessLogType: AccessLogType.TcpUpstreamConnected };
  const begun = TCPAccessLogEntry.create({ commonProperties: began, connectionProperties });
  call.write(StreamAccessLogsMessage.create({ logEntries: { $case: 'tcpLogs', value: { logEntry: [tcp, begun] } } }));
  call.end();
  assert.equal(await outcome(), 'ended');
  const none = { cluster: '', locality: '', runtime: '', viaGateway: false };
  const nobody = { peer: undefined, certified: false, refused: '', source: '' };
  const common = { ...nobody, inbound: false, route: 'shop/pay/r', cluster: 'outbound|80|v2|pay.shop.mesh.internal' };
  const bytes = { attempts: 2, bytesReceived: 3, bytesSent: 7, duration: 1_500 };
  assert.deepEqual(seen, [
    {
      ...common,
      group: { cluster: 'west', locality: 'eu/a/1', runtime: 'nomad', viaGateway: true },
      seen: { kind: 'request', code: 200, flags: [], ...bytes },
    },
    { ...common, group: none, seen: { kind: 'request', code: 503, grpcCode: 14, flags: ['UF', 'URX'], ...bytes } },
    {
      ...common,
      route: '',
      cluster: 'local|80||pay.shop.mesh.internal',
      group: none,
      seen: { kind: 'connection', failed: false, attempts: 0, flags: [], bytesReceived: 5, bytesSent: 9, duration: 0 },
    },
    {
      ...common,
      route: '',
      cluster: 'local|80||pay.shop.mesh.internal',
      group: none,
      seen: { kind: 'opened', attempts: 0, flags: [], bytesReceived: 0, bytesSent: 0, duration: 0 },
    },
  ]);
});

test('at the end of mTLS the peer is who its certificate says, and whose names do not fit is nobody', async (t) => {
  const { seen, open } = await scene(t);
  const { call, outcome } = open();
  call.write(hello('spiffe://mesh.test/ns/shop/sa/orders#orders.envoy', 'mtls-end'));
  const web = 'spiffe://mesh.test/ns/shop/sa/web';
  const peers = [
    `${web} west.cluster.mesh.test`,
    `${web} -`,
    '- west.cluster.mesh.test',
    `${web} west.cluster.else.test`,
    `${web},${web} -`,
    '-',
  ];
  for (const peer of peers) call.write(request({ upstreamCluster: 'inbound|80||orders.shop.mesh.internal', customTags: { peer } }));
  call.end();
  await outcome();
  const [first, ...others] = seen;
  assert.deepEqual(first?.peer, { principal: 'mesh.test/ns/shop/sa/web', cluster: 'west' });
  assert.deepEqual([first?.inbound, first?.group], [true, undefined]);
  assert.deepEqual(
    others.map(({ peer }) => peer),
    Array.from({ length: 5 }, () => undefined),
  );
  assert.deepEqual(
    seen.map(({ certified }) => certified),
    [true, true, true, true, true, false],
    'a certificate, whoever it is of, is not plaintext',
  );
});

test('an Envoy that claims to be another workload, or says nobody, is refused, and nothing of it is counted', async (t) => {
  const { seen, open } = await scene(t);
  for (const [first, code] of [
    [hello('spiffe://mesh.test/ns/shop/sa/orders-2#orders'), status.PERMISSION_DENIED],
    [hello('spiffe://mesh.test/ns/shop/sa/web#orders'), status.PERMISSION_DENIED],
    [hello(''), status.PERMISSION_DENIED],
    [request(), status.INVALID_ARGUMENT],
  ] as const) {
    const { call, outcome } = open();
    call.write({ ...request(), identifier: first.identifier });
    call.write(request());
    const end = await outcome();
    assert.ok(end !== 'ended');
    assert.equal(end.code, code, end.message);
  }
  assert.deepEqual(seen, []);
});
