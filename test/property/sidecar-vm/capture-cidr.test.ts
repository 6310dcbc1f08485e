import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalCidr, holds, outermost } from '../../../sidecar-vm/capture/cidr.ts';

const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((octets) => octets.join('.'));
/** Close together, so that many are in one another. */
const cidr = fc
  .tuple(fc.constantFrom('10.0', '10.128', '192.0'), fc.nat(255), fc.nat(255), fc.nat(32))
  .map(([a, b, c, n]) => `${a}.${b}.${c}/${n}`);

function listOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const each of cidrs) {
    const [network = '', length] = each.split('/');
    list.addSubnet(network, Number(length), 'ipv4');
  }
  return list;
}

test('the outermost ranges take the same addresses as all, and none of them holds another', () => {
  fc.assert(
    fc.property(fc.array(cidr, { minLength: 1, maxLength: 12 }), fc.array(address, { maxLength: 20 }), (cidrs, addresses) => {
      const kept = outermost(cidrs);
      const [all, few] = [listOf(cidrs), listOf(kept)];
      const probes = [...addresses, ...cidrs.map((each) => each.split('/')[0] ?? '')];
      for (const each of probes) assert.equal(few.check(each), all.check(each), `${each} of ${cidrs.join()} by ${kept.join()}`);
      for (const [i, one] of kept.entries()) for (const [j, other] of kept.entries()) assert.ok(i === j || !holds(one, other));
    }),
  );
});

test('a range is written one way', () => {
  fc.assert(
    fc.property(cidr, (text) => {
      const once = canonicalCidr(text);
      assert.equal(canonicalCidr(once), once);
      assert.ok(holds(once, text) && holds(text, once));
    }),
  );
  assert.equal(canonicalCidr('10.1.2.3/8'), '10.0.0.0/8');
  assert.equal(canonicalCidr('255.255.255.255/0'), '0.0.0.0/0');
});
