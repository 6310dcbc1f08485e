import assert from 'node:assert/strict';
import test from 'node:test';
import { portsOf } from '../../../core/xds/envoy/shift-chains.ts';

const taken = (part: number, ports: readonly number[]) => {
  const regex = new RegExp(`^(?:${portsOf(part)})$`);
  return ports.filter((port) => regex.test(String(port)));
};
const from = (first: number, count: number, step: number) => Array.from({ length: count }, (_, i) => first + i * step);

test('of ports one after another, or every second of them, each part of 500 is exactly that, and a greater one has all of a smaller', () => {
  const [all, even, odd] = [from(32_000, 1_000, 1), from(33_000, 500, 2), from(33_001, 500, 2)];
  let before = new Set<number>();
  for (let part = 0; part < 500; part++) {
    assert.equal(taken(part, all).length, 2 * part);
    assert.equal(taken(part, even).length, part);
    assert.equal(taken(part, odd).length, part);
    const now = new Set(taken(part, all));
    for (const port of before) assert.ok(now.has(port), `${port} at ${part}`);
    before = now;
  }
});

test('a share is spread over few connections too', () => {
  for (const part of [125, 250, 400]) {
    const near = taken(part, from(40_000, 50, 2)).length;
    assert.ok(Math.abs(near - (50 * part) / 500) <= 5, `${near} of 50 at ${part}`);
  }
});
