import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FlowHistory } from '../../../control/telemetry/traffic/flow-history.ts';
import { addPacked, packCounts } from '../../../control/telemetry/traffic/packed-counts.ts';
import { type Observation, observe } from '../../../core/telemetry/flow.ts';
import { addCounts, FlowRecorder, flowMessage, latencyQuantile, noCounts, noGroup, parseFlow } from '../../../core/telemetry/index.ts';
import { latencyBucket } from '../../../core/telemetry/latency-histogram.ts';
import { Flow } from '../../../core/xds/gen/isthmus/telemetry/v1/telemetry.ts';

const observation: fc.Arbitrary<Observation> = fc.record({
  kind: fc.constantFrom<Observation['kind']>('request', 'connection', 'opened', 'copy'),
  failed: fc.boolean(),
  attempts: fc.nat({ max: 5 }),
  code: fc.constantFrom(0, 200, 204, 404, 500, 503, 777, -1),
  grpcCode: fc.integer({ min: 0, max: 16 }),
  flags: fc.uniqueArray(fc.constantFrom('UH', 'UF', 'NR', 'DC')),
  bytesReceived: fc.nat(),
  bytesSent: fc.nat(),
  duration: fc.integer({ min: 0, max: 5_000_000 }),
});

function sumOf(seen: readonly Observation[]) {
  const sum = noCounts();
  for (const each of seen) observe(sum, each);
  return sum;
}

test('counting apart and adding is counting together, packed or over the wire too', () => {
  fc.assert(
    fc.property(fc.array(observation), fc.array(observation), (a, b) => {
      const whole = sumOf([...a, ...b]);
      const packed = noCounts();
      addPacked(packed, packCounts(1, sumOf(a)));
      addPacked(packed, packCounts(2, sumOf(b)));
      assert.deepEqual(packed, whole);
      const key = { reporter: 'source' as const, sourcePrincipal: 'p', sourceCluster: 'c', route: 'r', cluster: 'x', group: noGroup };
      const wire = noCounts();
      for (const part of [a, b]) {
        const flow = parseFlow(Flow.decode(Flow.encode(flowMessage({ key, counts: sumOf(part) })).finish()));
        assert.deepEqual(flow?.key, key);
        if (flow !== undefined) addCounts(wire, flow.counts);
      }
      assert.deepEqual(wire, whole);
    }),
  );
});

test('a quantile is within a bucket of the true one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.1, max: 1_000_000, noNaN: true }), { minLength: 1 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (all, q) => {
        const histogram = new Map<number, number>();
        for (const ms of all) histogram.set(latencyBucket(ms), (histogram.get(latencyBucket(ms)) ?? 0) + 1);
        const sorted = [...all].sort((x, y) => x - y);
        const exact = sorted[Math.max(0, Math.ceil(q * sorted.length - 1e-9) - 1)] ?? Number.NaN;
        const found = latencyQuantile(histogram, q) ?? Number.NaN;
        assert.ok(found >= exact / 1.1 && found <= exact * 1.1, `${found} for ${exact}`);
      },
    ),
  );
  assert.equal(latencyQuantile(new Map(), 0.5), undefined);
});

test('a history holds what came in, in whatever order slots did', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), observation), { maxLength: 60 }),
      fc.integer({ min: 0, max: 20 }),
      (all, first) => {
        const history = new FlowHistory();
        for (const [slot, seen] of all) history.add(slot, sumOf([seen]));
        history.expire(first);
        const kept = all.filter(([slot]) => slot >= first);
        const sum = noCounts();
        const slots: number[] = [];
        for (const each of history.slots(0)) {
          addCounts(sum, each.counts);
          slots.push(each.slot);
        }
        assert.deepEqual(sum, sumOf(kept.map(([, seen]) => seen)));
        assert.deepEqual(
          slots,
          [...new Set(kept.map(([slot]) => slot))].sort((x, y) => x - y),
        );
        history.expire(21);
        assert.equal(history.bytes, 0);
      },
    ),
  );
});

test('a recorder counts everything, in at most so many flows', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), observation)), (all) => {
      const recorder = new FlowRecorder(10);
      for (const [n, seen] of all) {
        recorder.record(
          { reporter: 'gateway', sourcePrincipal: '', sourceCluster: '', route: `r${n}`, cluster: 'c', group: noGroup },
          seen,
        );
      }
      assert.ok(recorder.size <= 11);
      const sum = noCounts();
      for (const { counts } of recorder.take()) addCounts(sum, counts);
      assert.deepEqual(sum, sumOf(all.map(([, seen]) => seen)));
      assert.equal(recorder.size, 0);
    }),
  );
});
