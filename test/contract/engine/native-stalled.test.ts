import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, EngineHarness, endpoint, sni } from './harness.ts';
import { makeNative } from './make-native.ts';

const plain = new Map([['plain', { clusterName, protocol: 'tcp' as const, allow: 'any' as const }]]);
const rule = (protocol: 'tcp' | 'http') =>
  new Map([[sni, { mode: 'terminate' as const, clusterName, protocol, authz: allowAll, end: { namespace: 'shop', service: 'orders' } }]]);

/** Writes until nothing more is taken: everybody's buffers are full. */
async function fill(socket: Socket): Promise<void> {
  let [written, last] = [0, -1];
  const block = Buffer.alloc(1 << 20, 7);
  await until('the writer to stand still', async () => {
    while (written < 512 << 20 && !socket.writableNeedDrain) {
      socket.write(block);
      written += block.length;
    }
    const still = socket.bytesWritten - socket.writableLength === last;
    last = socket.bytesWritten - socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return still && socket.writableNeedDrain;
  });
}

/** The node engine learns of it from reads alone, which it stops while its reader takes nothing. */
describe('engine native: who breaks off while its reader stands still is let go of at once', () => {
  let harness: EngineHarness;
  afterEach(() => harness.close());
  const gone = async (reason: string) => {
    assert.equal((await until('report', () => harness.reports[0])).reason, reason);
    await until('nothing to be open', () => harness.engine.counters().open === 0);
  };

  test('a caller in the clear', async () => {
    harness = new EngineHarness(makeNative);
    const { port } = await harness.sockets.serve((socket) => void socket.pause());
    harness.endpoints(endpoint(port));
    harness.apply({ plain });
    const caller = await harness.sockets.connect(await harness.listenPlain());
    await fill(caller);
    caller.resetAndDestroy();
    await gone('downstream-reset');
  });

  for (const protocol of ['tcp', 'http'] as const) {
    test(`a caller by mTLS, ${protocol}`, async () => {
      harness = new EngineHarness(makeNative);
      const { port } = await harness.sockets.serve((socket) => void socket.pause());
      harness.endpoints(endpoint(port));
      harness.apply({ sni: rule(protocol) });
      const caller = await harness.sockets.connectMtls(await harness.listenSni(), harness.caller, harness.bundle, harness.target);
      await fill(caller);
      harness.sockets.reset(caller);
      // What became of a connection of requests is the reader's to say, who sees the break.
      await gone(protocol === 'http' ? '' : 'downstream-reset');
      await until('its end to be closed', () => harness.delivered.every(({ socket }) => socket.destroyed));
      assert.equal(harness.delivered.length, protocol === 'http' ? 1 : 0);
    });
  }
});
