import assert from 'node:assert/strict';
import test from 'node:test';
import type { ConnectionReport } from '../../../gateway/engine/index.ts';
import type { RequestReport } from '../../../gateway/forward/index.ts';
import { PlaintextCounter } from '../../../gateway/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const name = 'inbound|80||orders.shop.mesh.internal';
const port = { namespace: 'shop', service: 'orders', port: 80 };
const peer = { principal: 'mesh.test/ns/shop/sa/web' } as ConnectionReport['peer'];
const end = { namespace: 'shop', service: 'orders' };

let ids = 0;
function report(more: Partial<ConnectionReport> & { from?: string }): ConnectionReport {
  const { from = '10.0.0.9', ...rest } = more;
  return {
    ...{ id: `c${++ids}`, listener: 'exposed', source: { address: from, port: 1 }, destination: { address: '10.0.0.1', port: 80 } },
    ...{ outcome: 'forward', sni: '', clusterName: name, end, bytesReceived: 0, bytesSent: 0, durationMs: 0, attempts: 1 },
    ...{ flags: [], reason: '', detail: '', ...rest },
  };
}
const request = (connection: ConnectionReport) => ({ connection }) as unknown as RequestReport;

function counter() {
  const clock = new ManualClock();
  const counted = new PlaintextCounter(clock);
  counted.keepOnly(new Map([[name, port]]));
  const only = () => {
    const [one, ...more] = counted.report();
    assert.ok(one !== undefined && more.length === 0);
    return one;
  };
  return { clock, counted, only };
}

test('a byte stream counts once, when it begins, and its caller is there for as long as it stands', () => {
  const { clock, counted, only } = counter();
  const stream = report({});
  counted.opened(stream);
  clock.advance(3_600_000);
  assert.deepEqual(only().callers, [{ address: '10.0.0.9', letIn: 1, refused: 0, idleMs: 0 }]);
  counted.connection(stream);
  clock.advance(5_000);
  assert.deepEqual([only().letIn, only().callers[0]?.idleMs], [1, 5_000]);
});

test('HTTP: a connection counts with its first request, each request by itself, and none a second time at the end', () => {
  const { counted, only } = counter();
  const clear = report({ outcome: 'deliver' });
  const secure = report({ outcome: 'deliver', ...(peer === undefined ? {} : { peer }) });
  for (const each of [clear, secure, clear]) counted.request(request(each));
  assert.deepEqual([only().letIn, only().requests, only().mtls, only().mtlsRequests], [1, 2, 1, 1]);
  for (const each of [clear, secure, report({ outcome: 'deliver' })]) counted.connection(each);
  assert.deepEqual([only().letIn, only().mtls], [2, 1], 'and one that never asked');
});

test('refusals are counted by what was refused: nobody who proved an identity, nobody who only looked', () => {
  const { counted, only } = counter();
  for (const reason of ['plaintext-refused', 'foreign-tls', 'hello-incomplete', 'handshake-failed', 'hello-timeout'])
    counted.connection(report({ outcome: 'refused', reason }));
  counted.connection(report({ outcome: 'refused', reason: 'rbac-denied', ...(peer === undefined ? {} : { peer }) }));
  assert.deepEqual([only().refused, only().letIn, only().mtls], [2, 0, 0]);
});

test('what an engine tells of in sums counts as often as it says, once', () => {
  const { counted, only } = counter();
  const secure = report({ count: 3, ...(peer === undefined ? {} : { peer }) });
  counted.opened(secure);
  // Its ends, told of apart from how their beginnings were.
  for (const count of [1, 2]) counted.connection(report({ count, ...(peer === undefined ? {} : { peer }) }));
  counted.connection(report({ count: 4, outcome: 'refused', reason: 'plaintext-refused' }));
  const { mtls, letIn, refused, callers } = only();
  assert.deepEqual([mtls, letIn, refused, callers.map((each) => each.refused)], [3, 0, 4, [4]]);
});

test('what is not at an exposed port, or leads elsewhere, is not counted', () => {
  const { counted, only } = counter();
  const { end: _, ...outbound } = report({});
  counted.opened(outbound);
  counted.opened(report({ clusterName: 'inbound|81||orders.shop.mesh.internal' }));
  assert.equal(only().letIn, 0);
});

test('counts go on when the xDS cluster has another name, and end with the port', () => {
  const { clock, counted, only } = counter();
  counted.opened(report({}));
  clock.advance(1_000);
  counted.keepOnly(new Map([['inbound|80||orders.shop.other.internal', port]]));
  counted.opened(report({ clusterName: 'inbound|80||orders.shop.other.internal' }));
  assert.deepEqual([only().letIn, only().countingMs], [2, 1_000]);
  counted.keepOnly(new Map());
  assert.deepEqual(counted.report(), []);
});

test('however many call, what is kept and said is bounded: the latest stay, and the others are counted', () => {
  const { clock, counted, only } = counter();
  const standing = report({ from: '10.9.9.9' });
  counted.opened(standing);
  for (let i = 0; i < 5_000; i += 1) {
    clock.advance(1);
    const one = report({ from: `10.1.${i >> 8}.${i & 255}` });
    counted.opened(one);
    counted.connection(one);
  }
  const { callers, moreCallers, letIn } = only();
  assert.deepEqual([callers.length, callers.length + moreCallers, letIn], [64, 5_001, 5_001]);
  assert.ok(
    callers.some(({ address, idleMs }) => address === '10.9.9.9' && idleMs === 0),
    'who stands is never forgotten',
  );
  assert.ok(callers.some(({ address }) => address === `10.1.${4_999 >> 8}.${4_999 & 255}`));
});

test('of another proxy each request of HTTP is a call, so that nobody who calls goes unseen', () => {
  const { counted, only } = counter();
  const of = { clusterName: name, address: '10.0.0.9', byMtls: false };
  counted.told(of, 'request');
  counted.told({ ...of, byMtls: true }, 'request');
  counted.told(of, 'refused');
  counted.told(of, 'opened');
  counted.told(of, 'ended');
  const { letIn, requests, refused, mtls, mtlsRequests, callers } = only();
  assert.deepEqual([letIn, requests, refused, mtls, mtlsRequests], [2, 1, 1, 1, 1]);
  assert.deepEqual(
    callers.map((each) => [each.letIn, each.refused]),
    [[2, 1]],
  );
});
