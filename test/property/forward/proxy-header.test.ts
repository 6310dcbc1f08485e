import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { proxyHeader } from '../../../core/proxy-protocol.ts';
import { readAttributes, readProxyHeader } from '../../support/proxy-header.ts';

const port = fc.integer({ min: 1, max: 65_535 });
const v4 = fc.record({ address: fc.ipV4(), port });
const v6 = fc.record({ address: fc.ipV6(), port });
const text = fc.string({ unit: 'grapheme-ascii', maxLength: 300 });
const connection = fc.record(
  {
    source: fc.oneof(v4, v6),
    destination: fc.oneof(v4, v6),
    uniqueId: text,
    authority: text,
    alpn: text,
    tls: fc.record({ version: fc.constantFrom('TLSv1.2', 'TLSv1.3'), name: text }),
  },
  { requiredKeys: ['source', 'destination'] },
);

/** As the reader of the tests writes an end, in the family of the header. */
function shown({ address, port: at }: { address: string; port: number }, six: boolean): string {
  if (!six) return `${address} ${at}`;
  const full = new SocketAddress({ address: address.includes(':') ? address : `::ffff:${address}`, family: 'ipv6' }).address;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(full);
  const hex = (a = '', b = '') => ((Number(a) << 8) | Number(b)).toString(16);
  const canonical = dotted === null ? full : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`;
  const [head = '', tail] = canonical.split('::');
  const [front, back] = [head, tail ?? ''].map((part) => (part === '' ? [] : part.split(':')));
  const zeros = tail === undefined ? [] : new Array<string>(8 - (front?.length ?? 0) - (back?.length ?? 0)).fill('0');
  return `${[...(front ?? []), ...zeros, ...(back ?? [])].join(':')} ${at}`;
}

test('whatever is written in version 2 is read as it was meant, and what follows begins where it should', () => {
  fc.assert(
    fc.property(connection, fc.uint8Array({ maxLength: 40 }), (said, rest) => {
      const header = readProxyHeader(Buffer.concat([proxyHeader('v2', said), rest]));
      const six = said.source.address.includes(':') || said.destination.address.includes(':');
      assert.ok(header !== undefined);
      assert.equal(header.length, proxyHeader('v2', said).length);
      assert.deepEqual(
        [header.command, header.source, header.destination],
        ['PROXY', shown(said.source, six), shown(said.destination, six)],
      );
      const plain = { '01': said.alpn, '02': said.authority, '05': said.uniqueId?.slice(0, 128) };
      for (const [type, value] of Object.entries(plain)) assert.equal(header.attributes.get(type)?.toString() ?? '', value ?? '', type);
      const tls = header.attributes.get('20');
      assert.equal(tls === undefined, said.tls === undefined);
      if (tls === undefined) return;
      assert.equal(tls.toString('hex', 0, 5), '0700000000', 'over TLS, with a certificate that holds');
      const inner = readAttributes(tls.subarray(5));
      assert.deepEqual([inner.get('21')?.toString(), inner.get('22')?.toString()], [said.tls?.version, said.tls?.name]);
    }),
  );
});

test('version 1 has one line of at most 107 bytes, and mixed families in one of them', () => {
  fc.assert(
    fc.property(connection, (said) => {
      const bytes = proxyHeader('v1', said);
      assert.ok(bytes.length <= 107);
      const line = bytes.toString();
      const six = said.source.address.includes(':') || said.destination.address.includes(':');
      assert.match(line, six ? /^PROXY TCP6 \S+ \S+ \d+ \d+\r\n$/ : /^PROXY TCP4 [\d.]+ [\d.]+ \d+ \d+\r\n$/);
      const [, , source = '', destination = ''] = line.split(' ');
      for (const address of [source, destination]) assert.equal(address.includes(':'), six);
    }),
  );
});

test('a connection of our own says that nobody called, and so does one whose ends are no addresses', () => {
  assert.equal(proxyHeader('v1', undefined).toString(), 'PROXY UNKNOWN\r\n');
  assert.equal(proxyHeader('v2', undefined).toString('hex'), '0d0a0d0a000d0a515549540a20000000');
  const nowhere = { source: { address: '', port: 0 }, destination: { address: '10.0.0.1', port: 80 } };
  assert.equal(proxyHeader('v1', nowhere).toString(), 'PROXY UNKNOWN\r\n');
  assert.equal(proxyHeader('v2', nowhere).toString('hex'), '0d0a0d0a000d0a515549540a21000000');
});

test('the example of the protocol: IPv4, version 2', () => {
  const said = { source: { address: '192.168.0.1', port: 56_324 }, destination: { address: '192.168.0.11', port: 443 } };
  assert.equal(proxyHeader('v2', said).toString('hex'), `0d0a0d0a000d0a515549540a2111000cc0a80001c0a8000bdc0401bb`);
  assert.equal(proxyHeader('v1', said).toString(), 'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n');
});
