import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrafficMeters } from '../../../control/telemetry/traffic/index.ts';
import { type ServiceKey, serviceKey } from '../../../core/model/index.ts';
import { observe } from '../../../core/telemetry/flow.ts';
import { noCounts, noGroup, type Reporter } from '../../../core/telemetry/index.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const orders = serviceKey('shop', 'orders');
const host = 'orders.shop.mesh.internal';

interface Told {
  readonly reporter?: Reporter;
  readonly kind?: string;
  readonly subset?: string;
  readonly principal?: string;
  readonly id?: string;
  readonly countsOpened?: boolean;
  readonly name?: string;
}

function tell(meters: TrafficMeters, counts: Partial<ReturnType<typeof noCounts>>, told: Told = {}) {
  const {
    reporter = 'source',
    kind = 'outbound',
    subset = 'isthmus-to',
    principal = 'mesh.test/ns/web/sa/web',
    id = 'a#1',
    name = 'orders',
  } = told;
  const destination = { namespace: 'shop', name, host, port: 80, subset };
  meters.count({
    id,
    cluster: `${kind}|80|${subset}|${host}`,
    key: { reporter, source: { principal, cluster: 'east' }, route: '', destination, group: noGroup },
    counts: { ...noCounts(), ...counts },
    countsOpened: told.countsOpened ?? true,
  });
}

test('each call is counted once: by the caller’s proxy or by the gateway that calls for who has none', () => {
  const meters = new TrafficMeters(new ManualClock());
  const meter = meters.meter(orders);
  tell(meters, {
    requests: 10,
    codes: new Map([
      [200, 7],
      [404, 1],
      [500, 1],
      [0, 1],
    ]),
    latency: new Map([[40, 10]]),
    latencySumMs: 20,
  });
  tell(meters, { requests: 5 }, { subset: 'isthmus-from' });
  tell(meters, { requests: 3 }, { reporter: 'gateway', principal: 'mesh.test/ns/isthmus-system/sa/gateway', id: 'g#1' });
  tell(meters, { requests: 100 }, { reporter: 'gateway', kind: 'local' });
  tell(meters, { requests: 100 }, { reporter: 'destination', kind: 'inbound', subset: '' });
  tell(meters, { requests: 100 }, { reporter: 'destination' });
  tell(meters, { requests: 100 }, { subset: '' });
  tell(meters, { requests: 100 }, { subset: 'v1' });
  tell(meters, { requests: 100 }, { name: 'pay' });
  tell(meters, { attempts: 100 }, {});
  const { from, to, callers } = meter.read();
  assert.deepEqual([from.requests, to.requests, to.errors, to.latencySumMs], [5, 13, 2, 20]);
  assert.deepEqual([...to.latency], [[40, 10]]);
  assert.deepEqual(callers, [
    { source: 'mesh.test/ns/web/sa/web', cluster: 'east', from: 5, to: 10 },
    { source: 'mesh.test/ns/isthmus-system/sa/gateway', cluster: 'east', from: 0, to: 3 },
  ]);
});

test('a gRPC call that failed is an error, though HTTP answers 200', () => {
  const meters = new TrafficMeters(new ManualClock());
  const meter = meters.meter(orders);
  const counts = noCounts();
  const call = (code: number, grpcCode: number, flags: readonly string[] = []) =>
    observe(counts, { kind: 'request', attempts: 1, code, grpcCode, flags, bytesReceived: 0, bytesSent: 0, duration: 1 });
  for (const fault of [2, 4, 12, 13, 14, 15]) call(200, fault);
  for (const fine of [0, 1, 3, 5, 6, 7, 8, 9, 10, 11, 16]) call(200, fine);
  // What Envoy makes of an answer that is none of gRPC's, and of one that its caller gave up.
  call(503, 14, ['UF']);
  call(200, 2, ['DC']);
  tell(meters, counts);
  assert.deepEqual([meter.read().to.requests, meter.read().to.errors], [19, 7]);
});

test('byte streams count when they begin, and when they end where a proxy tells of that alone; what cannot be made is an error', () => {
  const meters = new TrafficMeters(new ManualClock());
  const meter = meters.meter(orders);
  tell(meters, { opened: 4 });
  tell(meters, { connections: 4, flags: new Map([['UC', 1]]) });
  tell(meters, {
    opened: 1,
    failed: 1,
    connections: 1,
    flags: new Map([
      ['UF', 1],
      ['URX', 1],
    ]),
  });
  assert.deepEqual([meter.read().to.connections, meter.read().to.connectionErrors], [5, 1]);
  const older = { countsOpened: false, subset: 'isthmus-from' };
  tell(
    meters,
    {
      connections: 3,
      flags: new Map([
        ['UF', 2],
        ['URX', 2],
      ]),
    },
    older,
  );
  assert.deepEqual([meter.read().from.connections, meter.read().from.connectionErrors], [3, 2]);
});

test('a meter counts from when it was made until it is closed, and what was read stays', () => {
  const meters = new TrafficMeters(new ManualClock());
  tell(meters, { requests: 1 });
  const [one, other] = [meters.meter(orders), meters.meter(orders)];
  tell(meters, { requests: 2, latency: new Map([[1, 2]]) });
  const before = one.read();
  other.close();
  other.close();
  tell(meters, { requests: 4, latency: new Map([[1, 4]]) });
  assert.deepEqual([before.to.requests, before.to.latency.get(1)], [2, 2]);
  assert.deepEqual([one.read().to.requests, other.read().to.requests], [6, 2]);
});

test('who calls is known for an hour, whatever the subset, and callers beyond the most that are told apart are one', () => {
  const clock = new ManualClock();
  const meters = new TrafficMeters(clock);
  const meter = meters.meter(orders);
  tell(meters, { requests: 1 }, { subset: '', id: 'spiffe://mesh.test/ns/web/sa/web#1' });
  tell(meters, {}, { id: 'idle#1' });
  clock.advance(1_800_000);
  tell(meters, { opened: 1 }, { id: 'b#1' });
  assert.deepEqual(meters.callersOf(orders), ['spiffe://mesh.test/ns/web/sa/web#1', 'b#1']);
  clock.advance(1_800_001);
  assert.deepEqual(meters.callersOf(orders), ['b#1']);
  assert.deepEqual(meters.callersOf('shop/pay' as ServiceKey), []);
  for (let i = 0; i < 1_200; i++) tell(meters, { requests: 1 }, { principal: `p${i}` });
  const { callers, to } = meter.read();
  assert.equal(callers.length, 1_001);
  assert.equal(
    callers.reduce((sum, c) => sum + c.to, 0),
    to.requests + to.connections,
  );
});
