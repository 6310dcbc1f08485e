import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isOver, type Lease, leadsToOneOfMany, leaseOf, wantsAnother } from '../../../gateway/forward/spread.ts';
import { defaultLimits } from '../../../gateway/index.ts';
import type { EndpointState } from '../../../gateway/state/index.ts';

const through = (sni: string | undefined, viaGateway = true): EndpointState => ({
  address: '10.0.0.1',
  port: 15_443,
  weight: 1,
  priority: 0,
  ...(sni === undefined ? {} : { tls: { sni, uriSans: ['spiffe://mesh.test/ns/shop/sa/orders'], clusterSan: 'east.cluster.mesh.test' } }),
  cluster: 'east',
  network: 'n',
  locality: '',
  runtime: 'vm',
  instance: '',
  viaGateway,
  stale: false,
  draining: false,
});
const passthrough = through('outbound_.80_._.orders.shop.mesh.internal');
const terminating = through('outbound_.80_.gateway_.orders.shop.mesh.internal');
const limits = defaultLimits.http;

/** One caller, one request at a time, oldest idle connection first; connection n leads to backend n modulo `backends`. */
function shares(backends: number, requests: number, random: number) {
  const counts = Array.from({ length: backends }, () => 0);
  const standing: { backend: number; served: number; lease: Lease }[] = [];
  let dials = 0;
  const dial = () => {
    const lease = leaseOf(passthrough, limits, { now: 0, before: dials, random });
    dials += 1;
    return { backend: dials % backends, served: 0, lease };
  };
  for (let i = 0; i < requests; i++) {
    const reused = standing.shift();
    const used = reused ?? dial();
    if (reused !== undefined && wantsAnother(passthrough, standing.length, limits)) standing.push(dial());
    used.served += 1;
    counts[used.backend] = (counts[used.backend] ?? 0) + 1;
    if (!isOver(used.lease, used.served, 0)) standing.push(used);
  }
  return { counts, dials, standing: standing.length };
}

describe('spread over what is behind a gateway', () => {
  test('only where a gateway passes mTLS through to one of several backends', () => {
    assert.equal(leadsToOneOfMany(passthrough), true);
    assert.equal(leadsToOneOfMany(through('a-name-of-another-form')), true);
    assert.equal(leadsToOneOfMany(terminating), false);
    assert.equal(leadsToOneOfMany(through('outbound_.80_.gateway_v2_.orders.shop.mesh.internal')), false);
    assert.equal(leadsToOneOfMany(through('outbound_.80_.v2_.orders.shop.mesh.internal')), true);
    assert.equal(leadsToOneOfMany(through(undefined)), false);
    assert.equal(leadsToOneOfMany(through('outbound_.80_._.orders.shop.mesh.internal', false)), false);
    const never = leaseOf(terminating, limits, { now: 0, before: 9, random: 0.9 });
    assert.equal(isOver(never, 1e9, 1e12), false);
    assert.equal(wantsAnother(terminating, 0, limits), false);
  });

  test('one request at a time, any number of backends: each has its share, for one handshake in some sixty requests', () => {
    const anyNumber = fc.record({ backends: fc.integer({ min: 2, max: 9 }), random: fc.double({ min: 0, max: 0.999, noNaN: true }) });
    fc.assert(
      fc.property(anyNumber, ({ backends, random }) => {
        const requests = 20_000;
        const { counts, dials, standing } = shares(backends, requests, random);
        for (const count of counts) {
          const share = (count * backends) / requests;
          assert.ok(share > 0.9 && share < 1.1, `${counts}`);
        }
        assert.ok(dials <= 8 + requests / 45, `${dials} handshakes`);
        assert.ok(standing <= limits.gatewaySpread);
      }),
    );
  });

  test('a few hundred requests are enough for two and for three', () => {
    for (const backends of [2, 3]) {
      const { counts } = shares(backends, 600, 0.5);
      for (const count of counts) assert.ok(Math.abs(count / 600 - 1 / backends) < 0.08, `${counts}`);
    }
  });

  test('leases end by age too, the first ones one after another', () => {
    const until = [0, 1, 2, 3, 4].map((before) => leaseOf(passthrough, limits, { now: 1_000, before, random: 0.5 }).until);
    assert.deepEqual(until, [16_000, 31_000, 46_000, 61_000, 61_000]);
    const lease = leaseOf(passthrough, limits, { now: 1_000, before: 9, random: 0.5 });
    assert.deepEqual([isOver(lease, 63, 60_999), isOver(lease, 64, 1_000), isOver(lease, 1, 61_000)], [false, true, true]);
  });

  test('limits that make no sense still leave a connection that serves', () => {
    const lease = leaseOf(
      passthrough,
      { gatewaySpread: 1, gatewayConnectionRequests: 0, gatewayConnectionMs: 0 },
      { now: 0, before: 0, random: 0 },
    );
    assert.equal(lease.requests, 1);
    assert.equal(wantsAnother(passthrough, 0, { ...limits, gatewaySpread: 1 }), false);
  });
});
