import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { ClusterTable, DialResult } from '../../../gateway/engine/index.ts';
import { UpstreamPool } from '../../../gateway/forward/index.ts';
import { defaultLimits } from '../../../gateway/index.ts';
import type { EndpointState } from '../../../gateway/state/index.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

const none: ReadonlySet<string> = new Set();
const endpoint: EndpointState = {
  address: '127.0.0.1',
  port: 15_443,
  weight: 1,
  priority: 0,
  tls: { sni: 'outbound_.80_._.orders.shop.mesh.internal', uriSans: ['spiffe://mesh.test/ns/shop/sa/orders'], clusterSan: 'east' },
  cluster: 'east',
  network: 'n',
  locality: '',
  runtime: 'vm',
  instance: '',
  viaGateway: true,
  stale: false,
  draining: false,
};
const peer = { spiffeId: '', principal: '', trustDomain: '', namespace: '', serviceAccount: '', cluster: '', dnsSans: [] };
const cluster: ClusterTable = { name: 'c', host: 'h', namespace: 'n', service: 's', connectTimeoutMs: 1_000, endpoints: [endpoint] };

/** A pool, and in place of a gateway a dial that leads to one backend after the other. */
class Gateway {
  readonly pool: UpstreamPool;
  readonly clock = new ManualClock();
  readonly ports: number[] = [];
  dials = 0;
  /** Set: dials fail. */
  down = false;
  /** Set: dials wait for it. */
  gate: Promise<unknown> | undefined;
  /** Says whether one more may wait for a connection. */
  wait: () => (() => void) | undefined = () => () => {};
  readonly aborted: boolean[] = [];
  identity = 'one';

  constructor() {
    this.pool = new UpstreamPool({
      clock: this.clock,
      dial: ({ signal }) => this.#dial(signal),
      identity: () => this.identity,
      limits: defaultLimits.http,
      random: () => 0.5,
      wait: () => this.wait(),
    });
  }

  static async before(t: TestContext, backends: number): Promise<Gateway> {
    const gateway = new Gateway();
    for (let i = 0; i < backends; i++) {
      const server = createServer((_request, response) => response.end(`${i}`));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      gateway.ports.push((server.address() as AddressInfo).port);
      t.after(() => {
        server.closeAllConnections();
        server.close();
      });
      gateway.#open.push(() => new Promise((resolve) => server.getConnections((_error, count) => resolve(count))));
    }
    t.after(() => gateway.pool.close());
    return gateway;
  }

  readonly #open: (() => Promise<number>)[] = [];

  /** Connections that the backends have open. */
  async open(): Promise<number> {
    let sum = 0;
    for (const each of this.#open) sum += await each();
    return sum;
  }

  /** Which backend answered, and whether by a connection that had served before. `meanwhile`: while the connection is taken. */
  async call(maxIdleMs = 30_000, meanwhile = () => {}): Promise<{ backend: string; reused: boolean }> {
    const acquired = await this.pool.acquire(cluster, endpoint, maxIdleMs, () => new AbortController().signal);
    assert.ok(acquired.ok);
    meanwhile();
    const sent = request({ agent: acquired.connection.agent, path: '/', headers: { host: 'h' } });
    sent.end();
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
    let backend = '';
    for await (const chunk of response) backend += chunk;
    // The connection is free a tick after its answer was read.
    await new Promise(setImmediate);
    return { backend, reused: acquired.reused };
  }

  async #dial(signal: AbortSignal | undefined): Promise<DialResult> {
    this.dials += 1;
    const port = this.ports[this.dials % this.ports.length] ?? 0;
    await this.gate;
    this.aborted.push(signal?.aborted === true);
    if (this.down || signal?.aborted === true) return { ok: false, failure: 'connect', reason: 'down' };
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return { ok: true, socket, alpn: 'http/1.1', peer: { ...peer, fingerprint: `${port}` } };
  }
}

for (const backends of [2, 3, 5]) {
  test(`one request at a time, ${backends} backends: each has its share, for few handshakes`, async (t) => {
    const gateway = await Gateway.before(t, backends);
    const counts = new Map<string, number>();
    for (let i = 0; i < 2_000; i++) {
      const { backend } = await gateway.call();
      counts.set(backend, (counts.get(backend) ?? 0) + 1);
    }
    assert.equal(counts.size, backends);
    for (const count of counts.values()) assert.ok(Math.abs((count * backends) / 2_000 - 1) < 0.25, JSON.stringify([...counts]));
    assert.ok(gateway.dials <= 45, `${gateway.dials} handshakes`);
    await until('those that were replaced are closed', async () => (await gateway.open()) <= defaultLimits.http.gatewaySpread);
  });
}

test('no request but the first waits for a handshake', async (t) => {
  const gateway = await Gateway.before(t, 2);
  await gateway.call();
  const { promise, resolve } = withResolvers();
  gateway.gate = promise;
  const reused = [];
  for (let i = 0; i < 10; i++) reused.push((await gateway.call()).reused);
  assert.deepEqual([new Set(reused), gateway.dials], [new Set([true]), 2], 'one more is under way, and only one');
  resolve();
  await until('it serves', async () => (await gateway.call()).backend === '0');
});

test('a retry gets a new connection, and the one after the last in the rotation', async (t) => {
  const gateway = await Gateway.before(t, 2);
  const first = await gateway.call();
  const again = await gateway.call(0);
  assert.deepEqual([again.reused, again.backend === first.backend], [false, false]);
});

test('one that cannot be opened fails no request, and is not tried again for each', async (t) => {
  const gateway = await Gateway.before(t, 2);
  await gateway.call();
  gateway.down = true;
  for (let i = 0; i < 5; i++) assert.equal((await gateway.call()).reused, true);
  assert.equal(gateway.dials, 2);
  gateway.down = false;
  gateway.clock.advance(1_000);
  await gateway.call();
  assert.equal(gateway.dials, 3);
});

test('an old connection is replaced, however little it was used', async (t) => {
  const gateway = await Gateway.before(t, 2);
  const seen = new Set<string>();
  for (let i = 0; i < 12; i++) {
    seen.add((await gateway.call()).backend);
    gateway.clock.advance(20_000);
  }
  assert.ok(gateway.dials > 4, `${gateway.dials}`);
  assert.equal(seen.size, 2);
});

test('a backend that failed is avoided until it serves: its other connections are closed, new ones to it are not kept', async (t) => {
  const gateway = await Gateway.before(t, 2);
  await until('four stand', async () => {
    await gateway.call();
    return (await gateway.open()) === 4;
  });
  const acquired = await gateway.pool.acquire(cluster, endpoint, 30_000, () => new AbortController().signal);
  assert.ok(acquired.ok);
  const failed = acquired.connection.backend;
  acquired.connection.fail();
  await until('two are left', async () => (await gateway.open()) === 2);
  for (let i = 0; i < 20; i++) {
    const { backend } = await gateway.call(i % 2 === 0 ? 0 : 30_000);
    assert.notEqual(`${gateway.ports[Number(backend)]}`, failed);
    gateway.clock.advance(200);
  }
  gateway.clock.advance(1_000);
  const back = new Set<string>();
  for (let i = 0; i < 2; i++) back.add((await gateway.call(0)).backend);
  assert.equal(back.size, 2, 'tried again after a while');
});

test('when every backend has failed they are still asked', async (t) => {
  const gateway = await Gateway.before(t, 1);
  const acquired = await gateway.pool.acquire(cluster, endpoint, 30_000, () => new AbortController().signal);
  assert.ok(acquired.ok);
  acquired.connection.fail();
  assert.deepEqual([(await gateway.call()).reused, gateway.dials], [false, 3]);
  assert.deepEqual([(await gateway.call()).reused, (await gateway.call(0)).reused], [true, false]);
  assert.ok(gateway.dials <= 5, 'a success clears it');
});

const both = new Map([[cluster.name, cluster]]);
const ends: Readonly<Record<string, (gateway: Gateway) => void>> = {
  'its endpoint drains': ({ pool }) => pool.keepOnly(new Map([['c', { ...cluster, endpoints: [{ ...endpoint, draining: true }] }]]), none),
  'our identity changes': (gateway) => {
    gateway.identity = 'two';
    gateway.pool.keepOnly(both, none);
  },
  'the pool ends': ({ pool }) => pool.close(),
};
for (const [when, end] of Object.entries(ends)) {
  test(`${when}: what is idle, being opened or in use is closed, each as soon as it can be`, async (t) => {
    const gateway = await Gateway.before(t, 2);
    await gateway.call();
    const { promise, resolve } = withResolvers();
    gateway.gate = promise;
    await gateway.call();
    gateway.gate = undefined;
    await gateway.call(0);
    gateway.pool.keepOnly(both, none);
    assert.equal(await gateway.open(), 2, 'what is wanted stays');
    const last = await gateway.call(30_000, () => end(gateway));
    assert.equal(last.reused, true, 'who uses one is not cut off');
    resolve();
    await until('none is open', async () => (await gateway.open()) === 0);
    assert.deepEqual(gateway.aborted, [false, false, true]);
  });
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test('who waits for a handshake is one of those that may wait, until the connection stands', async (t) => {
  const gateway = await Gateway.before(t, 1);
  let waiting = 0;
  gateway.wait = () => {
    if (waiting === 1) return undefined;
    waiting += 1;
    return () => {
      waiting -= 1;
    };
  };
  let open = () => {};
  gateway.gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const acquire = () => gateway.pool.acquire(cluster, endpoint, 30_000, () => new AbortController().signal);
  const first = acquire();
  const second = await acquire();
  assert.equal(!second.ok && second.failure, 'overflow');
  open();
  const acquired = await first;
  assert.ok(acquired.ok);
  assert.equal(waiting, 0);
  acquired.connection.destroy();
});
