import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { abortStream } from '../../../gateway/engine/index.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, EngineHarness, endpoint, sni } from './harness.ts';
import { makeNative } from './make-native.ts';
import { requestsSuite } from './requests-suite.ts';

requestsSuite('native', makeNative);

test('engine native: what is dialled is told of by its place, and ends with that', async () => {
  const harness = new EngineHarness(makeNative);
  try {
    const { port } = await harness.sockets.serveMtls(harness.server, harness.bundle, (socket) => socket.pipe(socket));
    const there = endpoint(port, { tls: harness.target });
    const dialled = await harness.engine.dial({ clusterName, endpoint: there, connectTimeoutMs: 5_000 });
    assert.ok(dialled.ok);
    const places = () => harness.engine.places?.() ?? [];
    const heard = places()[0]?.heard ?? 0;
    assert.deepEqual(
      places().map((each) => [each.endpoint, each.waiting]),
      [[there, false]],
    );
    dialled.socket.on('error', () => {});
    dialled.socket.resume().write('x'.repeat(1_000));
    await until('an answer', () => (places()[0]?.heard ?? 0) >= heard + 1_000);
    harness.engine.giveUp?.(there);
    await until('its end', () => dialled.socket.destroyed);
    await until('nothing to lead there', () => places().length === 0);
  } finally {
    await harness.close();
  }
});

test('engine native: no descriptor is left behind, whoever ends a connection, and whenever', async () => {
  const before = descriptors();
  const harness = new EngineHarness(makeNative);
  harness.apply({
    sni: new Map([
      [sni, { mode: 'terminate', clusterName, protocol: 'http', authz: allowAll, end: { namespace: 'shop', service: 'orders' } }],
    ]),
  });
  const port = await harness.listenSni();
  const { port: there } = await harness.sockets.serveMtls(harness.server, harness.bundle, (socket) => socket.pipe(socket));
  const request = { clusterName, endpoint: endpoint(there, { tls: harness.target }), connectTimeoutMs: 5_000 };
  for (let i = 0; i < 30; i++) {
    const client = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
    const { socket } = await until('delivery', () => harness.delivered[i]);
    if (i % 3 === 0) socket.destroy();
    else if (i % 3 === 1) harness.sockets.reset(client);
    const dialled = await harness.engine.dial(request);
    assert.ok(dialled.ok);
    if (i % 3 === 0) dialled.socket.destroy();
    else if (i % 3 === 1) abortStream(dialled.socket);
    const given = new AbortController();
    const pending = harness.engine.dial({ ...request, signal: given.signal });
    if (i % 2 === 0) given.abort();
    else void pending;
  }
  const last = harness.engine.dial(request);
  await harness.close();
  const result = await last;
  if (result.ok) result.socket.destroy();
  await until('all to be closed', () => descriptors() <= before);
});

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
