import assert from 'node:assert/strict';
import test from 'node:test';
import { mtlsStatus, recentCalls } from '../../../control/assemble/mtls-status.ts';
import { callerPolicies, peerAuthentications } from '../../../control/policy/index.ts';
import { PlaintextReports } from '../../../control/registration/index.ts';
import type { PeerAuthenticationObject } from '../../../core/config/index.ts';
import type { PlaintextReport } from '../../../core/xds/gen/isthmus/agent/v1/agent.ts';
import type { RegisteredWorkload } from '../../../registries/vm/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';

const hour = 3_600_000;
const expose = { address: '10.0.0.1', port: 8080 };

function workload(instance: string, more: Partial<RegisteredWorkload> = {}): RegisteredWorkload {
  return {
    ...{ role: 'workload', instance, namespace: 'shop', serviceAccount: 'orders', grant: 'g', generation: 1, replica: 'r', network: 'a' },
    ...{
      labels: {},
      locality: '',
      version: '',
      registeredAt: 1,
      draining: false,
      expired: false,
      addresses: ['10.0.0.1'],
      inboundPort: 9090,
    },
    services: [{ namespace: 'shop', name: 'orders', port: 8080, portName: 'http', protocol: 'http', expose }],
    ...more,
  };
}

function said(countingMs: number, more: Partial<PlaintextReport> = {}): { services: PlaintextReport[] } {
  const counts = { letIn: 0, refused: 0, requests: 0, mtls: 0, mtlsRequests: 0, callers: [], moreCallers: 0 };
  return { services: [{ namespace: 'shop', name: 'orders', port: 8080, countingMs, ...counts, ...more }] };
}

const called = (address: string, idleMs: number, letIn = 1) => ({ address, letIn, refused: 0, idleMs });

test('a report that is repeated ages; what an earlier start saw is not forgotten with it', () => {
  const clock = new ManualClock();
  const reports = new PlaintextReports(clock);
  const began = clock.now();
  reports.take('k', workload('vm-1'), said(60_000, { letIn: 1, callers: [called('10.0.0.9', 1_000)] }));
  clock.advance(600_000);
  reports.take('k', workload('vm-1'), said(60_000, { letIn: 1, callers: [called('10.0.0.9', 1_000)] }));
  const [one] = reports.seen();
  assert.deepEqual([one?.callers[0]?.lastAt, one?.since], [began - 1_000, began - 60_000]);
  reports.take('k', workload('vm-1', { generation: 2 }), said(5_000, { callers: [called('10.0.0.8', 0)] }));
  const [two] = reports.seen();
  assert.deepEqual(
    two?.callers.map(({ address }) => address),
    ['10.0.0.8', '10.0.0.9'],
  );
  assert.deepEqual([two?.letIn, two?.since], [0, clock.now() - 5_000], 'counts are those of this start');
});

test('an instance speaks of what it has exposed alone, in words that are bounded', () => {
  const reports = new PlaintextReports(new ManualClock());
  const closed = { ...workload('vm-1').services[0], expose: undefined } as never;
  reports.take('a', workload('vm-1', { services: [closed] }), said(1));
  reports.take('b', workload('vm-2'), { services: [...said(1).services.map((each) => ({ ...each, name: 'payments' }))] });
  assert.deepEqual(reports.seen(), []);
  const callers = [
    called('<script>', 0),
    called('10.0.0.9', -5, Number.NaN),
    ...Array.from({ length: 100 }, (_, i) => called(`10.1.0.${i}`, i)),
  ];
  reports.take('c', workload('vm-3'), said(1, { callers, letIn: 1.5 }));
  const [one] = reports.seen();
  assert.deepEqual([one?.letIn, one?.callers.length, one?.callers.some(({ address }) => address === '?')], [0, 64, true]);
});

test('what an agent said goes two hours after it was last heard', () => {
  const clock = new ManualClock();
  const reports = new PlaintextReports(clock);
  reports.take('k', workload('vm-1'), said(1));
  clock.advance(2 * hour + 1);
  assert.deepEqual(reports.seen(), []);
});

const permissive: PeerAuthenticationObject = {
  ...{ kind: 'PeerAuthentication', name: 'orders', namespace: 'shop' },
  spec: { selector: {}, mode: 'permissive', ports: [], createdAt: 0 },
};
const base = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });

function statusOf(doors: readonly boolean[], ...all: readonly (readonly [instance: string, ReturnType<typeof said>])[]) {
  const clock = new ManualClock();
  const reports = new PlaintextReports(clock);
  for (const [instance, report] of all) reports.take(instance, workload(instance), report);
  const endpoints = doors.map((open, i) => ({
    ...{ instance: `shop~orders~vm-${i + 1}`, address: `10.0.0.${i + 1}`, ...(open ? { plain: { http: expose } } : {}) },
  }));
  const services = [serviceOf('orders', endpoints), serviceOf('till', [{ instance: 't', address: '10.0.0.9' }])];
  const inputs = inputsOf(viewOf(services), { policies: [...base, peerAuthentications([permissive])] });
  const now = clock.now();
  const { ports } = mtlsStatus({ inputs, seen: reports.seen(), service: 'shop/orders', now });
  const [port, ...more] = ports;
  assert.ok(port !== undefined && more.length === 0);
  return { port, recent: recentCalls(reports.seen(), now) };
}

const long = 2 * hour;

for (const [title, doors, all, verdict, reason] of [
  ['nobody exposes', [false], [], 'unknown', /1 of 1 instances have no listener/],
  ['one of two exposes', [true, false], [['vm-1', said(long)]], 'unknown', /1 of 2 instances have no listener/],
  ['one has not reported', [true, true], [['vm-1', said(long)]], 'unknown', /not every instance has reported/],
  ['counted for ten minutes', [true], [['vm-1', said(600_000)]], 'unknown', /known for 10 min alone/],
  ['nobody for an hour', [true], [['vm-1', said(long, { callers: [called('10.0.0.9', hour + 1)] })]], 'yes', /within the last hour/],
  ['somebody a minute ago', [true], [['vm-1', said(long, { callers: [called('10.0.0.9', 60_000)] })]], 'no', /60 s ago/],
  [
    'somebody at one of two, which alone exposes',
    [true, false],
    [['vm-1', said(long, { callers: [called('10.0.0.9', 60_000)] })]],
    'no',
    /60 s ago/,
  ],
  [
    'only refusals',
    [true],
    [['vm-1', said(long, { refused: 3, callers: [{ ...called('10.0.0.9', 0, 0), refused: 3 }] })]],
    'yes',
    /nobody/,
  ],
] as const) {
  test(`whether STRICT is safe: ${title}`, () => {
    const { port } = statusOf(doors, ...(all as readonly (readonly [string, ReturnType<typeof said>])[]));
    assert.equal(port.strictIsSafe, verdict);
    assert.match(port.reason, reason);
  });
}

test('what instances say is put together: counts add up, an address is there once with what is known of it', () => {
  const { port, recent } = statusOf(
    [true, true],
    ['vm-1', said(long, { letIn: 2, requests: 5, mtls: 7, mtlsRequests: 9, callers: [called('10.0.0.9', 60_000, 2)], moreCallers: 1 })],
    ['vm-2', said(hour, { letIn: 1, refused: 4, callers: [called('10.0.0.9', 30_000), called('192.0.2.1', hour + 5)] })],
  );
  assert.deepEqual([port.mode, port.decidedBy, port.instances, port.exposed], ['PERMISSIVE', 'PeerAuthentication shop/orders', 2, 2]);
  assert.equal(port.countingSeconds, 3_600);
  const { lastSeen: _, ...counts } = port.plaintext;
  assert.deepEqual(
    [counts, port.mtls, port.moreCallers],
    [{ connections: 3, requests: 5, refused: 4 }, { connections: 7, requests: 9 }, 1],
  );
  assert.deepEqual(
    port.callers.map(({ address, known, connections }) => [address, known, connections]),
    [
      ['10.0.0.9', ['shop/till'], 3],
      ['192.0.2.1', [], 1],
    ],
  );
  assert.deepEqual(
    recent.map(({ address }) => address),
    ['10.0.0.9', '10.0.0.9'],
    'the other one is not of the last hour',
  );
});
