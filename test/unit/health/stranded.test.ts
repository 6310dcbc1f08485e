import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../../core/system-clock.ts';
import { probeTcp } from '../../../gateway/health/probe-tcp.ts';
import { SilenceWatch } from '../../../gateway/health/silence-watch.ts';
import { isStranded } from '../../../gateway/health/stranded.ts';
import type { EndpointState } from '../../../gateway/state/types.ts';
import { onEnd } from '../../support/on-end.ts';

const own = new Set(['10.0.0.7', '2001:db8::7', 'fe80::7']);
const table: readonly (readonly [string | undefined, boolean])[] = [
  ['10.0.0.7', false],
  ['10.0.0.8', true],
  ['::ffff:10.0.0.7', false],
  ['::ffff:10.0.0.8', true],
  ['2001:db8::7', false],
  ['2001:db8::8', true],
  ['fe80::7%eth0', false],
  // Loopback has more addresses than are listed, and connections that are still being opened have none.
  ['127.64.3.1', false],
  ['::1', false],
  [undefined, false],
];

for (const [localAddress, stranded] of table)
  test(`a connection from ${localAddress} ${stranded ? 'leads nowhere' : 'stands'}`, () => {
    assert.equal(isStranded({ localAddress } as Socket, own), stranded);
  });

/** What is connected to an app that never says anything, once a byte is sent; the machine has `addresses`. */
async function silentApp(t: Parameters<typeof onEnd>[0], addresses: ReadonlySet<string>) {
  const taken = new Set<Socket>();
  const server = createServer((socket) => taken.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let probes = 0;
  const watch = new SilenceWatch({
    clock: systemClock,
    probe: ({ address, port: at }, timeoutMs) => {
      probes += 1;
      return probeTcp(address, at, timeoutMs, systemClock);
    },
    clusters: () => new Map(),
    onChange: () => {},
    ownAddresses: () => addresses,
  });
  onEnd(t, async () => {
    watch.dispose();
    for (const socket of taken) socket.destroy();
    server.close();
  });
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  onEnd(t, () => void socket.destroy());
  watch.opened({ address: '127.0.0.1', port } as EndpointState, socket);
  await once(socket, 'connect');
  return { socket, probes: () => probes };
}

test('what was connected from an address that this machine has lost is given up, though the other end answers new ones', async (t) => {
  const { socket } = await silentApp(t, new Set(['10.0.0.7']));
  // A test has loopback alone.
  Object.defineProperty(socket, 'localAddress', { value: '10.0.0.6' });
  socket.write('?');
  await once(socket, 'close', { signal: AbortSignal.timeout(5_000) });
});

test('a slow app keeps its connection', async (t) => {
  const { socket, probes } = await silentApp(t, new Set(['10.0.0.7']));
  Object.defineProperty(socket, 'localAddress', { value: '10.0.0.7' });
  socket.write('?');
  while (probes() < 3) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(socket.destroyed, false);
});
