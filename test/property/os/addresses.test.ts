import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressBytes, addressText } from '../../../core/os/addresses.ts';

test('addresses go to bytes and back as Node writes them', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const bytes = addressBytes(text);
      assert.ok(bytes !== undefined, text);
      const family = text.includes(':') ? 'ipv6' : 'ipv4';
      const canonical = new SocketAddress({ address: text, family }).address;
      assert.equal(addressText(bytes), canonical.startsWith('::ffff:') && canonical.includes('.') ? canonical.slice(7) : canonical);
    }),
  );
});

test('what is no address gives nothing', () => {
  for (const text of ['', '1.2.3', '1.2.3.4.5', '::1::', 'fe80::1%eth0', 'localhost']) assert.equal(addressBytes(text), undefined, text);
});
