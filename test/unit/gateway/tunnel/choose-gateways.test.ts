import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseGateways } from '../../../../gateway/tunnel/choose-gateways.ts';
import type { TunnelTarget } from '../../../../gateway/tunnel/contract.ts';

const target = (name: string, more: Partial<TunnelTarget> = {}): TunnelTarget => ({
  name,
  addresses: ['192.0.2.1'],
  port: 15_443,
  tls: { uriSans: [], clusterSan: '' },
  draining: false,
  ...more,
});
const five = ['a', 'b', 'c', 'd', 'e'].map((name) => target(`hub/${name}`));
const names = (chosen: readonly TunnelTarget[]) => chosen.map(({ name }) => name).sort();

describe('the choice of gateways', () => {
  it('spreads instances evenly, and the same instance always chooses the same', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 1_000; i += 1) {
      const chosen = names(chooseGateways(five, `vm${i}`, 2, new Set()));
      assert.equal(chosen.length, 2);
      assert.deepEqual(names(chooseGateways([...five].reverse(), `vm${i}`, 2, new Set())), chosen);
      for (const name of chosen) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const [name, count] of counts) assert.ok(count > 340 && count < 460, `${name} has ${count} of 2,000`);
  });

  it('moves nobody but those of a gateway that is lost, and those over all the others', () => {
    const moved = new Map<string, number>();
    for (let i = 0; i < 1_000; i += 1) {
      const before = names(chooseGateways(five, `vm${i}`, 2, new Set()));
      const after = names(chooseGateways(five, `vm${i}`, 2, new Set(['hub/c'])));
      if (!before.includes('hub/c')) assert.deepEqual(after, before);
      for (const name of after) if (!before.includes(name)) moved.set(name, (moved.get(name) ?? 0) + 1);
    }
    assert.equal(moved.size, 4);
  });

  it('takes none that drains or has no address, and as many of each cluster', () => {
    const targets = [
      target('a/one', { draining: true }),
      target('a/two'),
      target('a/three', { addresses: [] }),
      target('b/one'),
      target('b/two'),
    ];
    assert.deepEqual(names(chooseGateways(targets, 'vm', 2, new Set())), ['a/two', 'b/one', 'b/two']);
  });
});
