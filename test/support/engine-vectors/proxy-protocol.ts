import { type ProxiedConnection, type ProxyProtocol, proxyHeader } from '../../../core/proxy-protocol.ts';
import { readProxyHeader } from '../proxy-header.ts';

const end = (address: string, port: number) => ({ address, port });
const v4 = { source: end('192.168.0.1', 56_324), destination: end('192.168.0.11', 443) };
const v6 = { source: end('fd00::1:2', 65_535), destination: end('2001:db8:0:1:1:1:1:1', 1) };
const longest = {
  source: end('abcd:abcd:abcd:abcd:abcd:abcd:abcd:abcd', 65_535),
  destination: end('abcd:abcd:abcd:abcd:abcd:abcd:abcd:abcd', 65_535),
};
const told = { uniqueId: 'c-17', authority: 'outbound_.80_._.orders.shop.mesh.internal', alpn: 'isthmus' };
const tls = { version: 'TLSv1.3', name: 'spiffe://mesh.internal/ns/shop/sa/web' };

const connections: Readonly<Record<string, ProxiedConnection | null>> = {
  nobody: null,
  IPv4: v4,
  IPv6: v6,
  'the longest line': longest,
  'from IPv4 to IPv6': { source: v4.source, destination: v6.destination },
  'from IPv6 to IPv4': { source: v6.source, destination: v4.destination },
  'IPv4 as a socket of both families sees it': { source: end('::ffff:192.168.0.1', 1), destination: end('::ffff:192.168.0.11', 2) },
  'no addresses': { source: end('', 0), destination: end('10.0.0.1', 80) },
  'no addresses, but a name': { source: end('', 0), destination: end('10.0.0.1', 80), authority: 'a.example' },
  'all that may be told': { ...v4, ...told, tls },
  'empty texts': { ...v4, uniqueId: '', authority: '', alpn: '', tls: { version: '', name: '' } },
  'a long unique id': { ...v6, uniqueId: 'u'.repeat(129) },
};

const signature = '0d0a0d0a000d0a515549540a';
const tcp4 = 'c0a80001c0a8000bdc0401bb';
const tcp6 = 'fd00000000000000000000000001000220010db8000000010001000100010001ffff0001';
const text = (line: string) => Buffer.from(line, 'latin1').toString('hex');
const line = (words: string) => text(`PROXY ${words}\r\n`);

/** What must come of a header: ends as texts, `local`, a fault, or `more`. */
type Expected = readonly [source: string, destination: string] | 'local' | 'absent' | 'oversized' | 'malformed' | 'more';
const said: Expected = ['192.168.0.1:56324', '192.168.0.11:443'];
const said6: Expected = ['[fd00::1:2]:65535', '[2001:db8:0:1:1:1:1:1]:1'];

/** By the protocol's own text: nothing of ours reads it but the native engine. */
const headers: Readonly<Record<string, readonly [hex: string, expected: Expected]>> = {
  'nothing yet': ['', 'more'],
  HTTP: [text('GET / HTTP/1.1\r\n'), 'absent'],
  'lower case': [text('proxy TCP4 '), 'absent'],
  'another word': [text('PROXX TCP4 '), 'absent'],
  'the first byte of version 1': [text('P'), 'more'],
  'a line without its end': [text('PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r'), 'more'],
  'version 1, IPv4': [line('TCP4 192.168.0.1 192.168.0.11 56324 443'), said],
  'version 1, IPv6': [line('TCP6 fd00::1:2 2001:db8:0:1:1:1:1:1 65535 1'), said6],
  'version 1, port 0': [line('TCP4 192.168.0.1 192.168.0.11 0 443'), ['192.168.0.1:0', '192.168.0.11:443']],
  'version 1, unknown': [line('UNKNOWN'), 'local'],
  'version 1, unknown with what is to be ignored': [line(`UNKNOWN ${'f'.repeat(80)}`), 'local'],
  'version 1, unknown with what is no text': [text('PROXY UNKNOWN \xff\r\n'), 'local'],
  'version 1, 107 bytes': [line(`UNKNOWN ${'f'.repeat(91)}`), 'local'],
  'version 1, 108 bytes': [line(`UNKNOWN ${'f'.repeat(92)}`), 'oversized'],
  'version 1, no end': [text(`PROXY ${'T'.repeat(101)}`), 'oversized'],
  'version 1, the end without CR': [text('PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n'), 'malformed'],
  'version 1, another family': [line('UDP4 192.168.0.1 192.168.0.11 56324 443'), 'malformed'],
  'version 1, IPv6 as TCP4': [line('TCP4 fd00::1 fd00::2 1 2'), 'malformed'],
  'version 1, IPv4 as TCP6': [line('TCP6 192.168.0.1 192.168.0.11 1 2'), 'malformed'],
  'version 1, a port too large': [line('TCP4 192.168.0.1 192.168.0.11 56324 65536'), 'malformed'],
  'version 1, a zero before a port': [line('TCP4 192.168.0.1 192.168.0.11 056324 443'), 'malformed'],
  'version 1, a plus before a port': [line('TCP4 192.168.0.1 192.168.0.11 +5632 443'), 'malformed'],
  'version 1, a zero before a number of an address': [line('TCP4 192.168.0.01 192.168.0.11 56324 443'), 'malformed'],
  'version 1, two spaces': [line('TCP4  192.168.0.1 192.168.0.11 56324 443'), 'malformed'],
  'version 1, a space at the end': [line('TCP4 192.168.0.1 192.168.0.11 56324 443 '), 'malformed'],
  'version 1, one port': [line('TCP4 192.168.0.1 192.168.0.11 56324'), 'malformed'],
  'version 1, no family': [line(''), 'malformed'],
  'version 1, a zone': [line('TCP6 fe80::1%eth0 fe80::2 1 2'), 'malformed'],
  'version 1, beyond ASCII': [line('TCP4 192.168.0.1 192.168.0.11 56324 44\xb3'), 'malformed'],
  'the first bytes of version 2': [signature.slice(0, 20), 'more'],
  'version 2, IPv4': [`${signature}2111000c${tcp4}`, said],
  'version 2, IPv6': [`${signature}21210024${tcp6}`, said6],
  'version 2, not whole': [`${signature}2111000c${tcp4.slice(2)}`, 'more'],
  'version 2, local': [`${signature}20000000`, 'local'],
  'version 2, local with what is to be skipped': [`${signature}2011000cffffffffffffffffffffffff`, 'local'],
  'version 2, local of no family that there is': [`${signature}20ff0001ff`, 'local'],
  'version 2, of no family': [`${signature}21000000`, 'local'],
  'version 2, datagrams': [`${signature}2112000c${tcp4}`, 'local'],
  'version 2, a Unix socket': [`${signature}213100d8${'61'.repeat(216)}`, 'local'],
  'version 2, of a family that there is not': [`${signature}2141000c${tcp4}`, 'malformed'],
  'version 2, of a transport that there is not': [`${signature}2113000c${tcp4}`, 'malformed'],
  'version 2, a command that there is not': [`${signature}2211000c${tcp4}`, 'malformed'],
  'version 3': [`${signature}3111000c${tcp4}`, 'malformed'],
  'version 2, no room for addresses, which its length tells': [`${signature}2111000b`, 'malformed'],
  'version 2, no room for addresses of IPv6': [`${signature}21210023${tcp6}`, 'malformed'],
  'version 2, 4,096 bytes': [`${signature}21110ff0${tcp4}040fe1${'00'.repeat(4_065)}`, said],
  'version 2, above 4,096 bytes': [`${signature}21110ff1`, 'oversized'],
  'version 2, an attribute past the end': [`${signature}21110010${tcp4}04000200`, 'malformed'],
  'version 2, half an attribute': [`${signature}2111000e${tcp4}0400`, 'malformed'],
  'version 2, an attribute that nobody knows': [`${signature}21110010${tcp4}ee0001ff`, said],
  'version 2, its checksum': [`${signature}21110013${tcp4}0300041c1ae9c6`, said],
  'version 2, another checksum': [`${signature}21110013${tcp4}0300041c1ae9c7`, 'malformed'],
  'version 2, a checksum of three bytes': [`${signature}21110012${tcp4}0300031c1ae9`, 'malformed'],
};

export function proxyProtocolVectors() {
  const versions: readonly ProxyProtocol[] = ['v1', 'v2'];
  const written = Object.entries(connections).flatMap(([name, connection]) =>
    versions.map((version) => ({ name, version, connection, header: proxyHeader(version, connection ?? undefined).toString('hex') })),
  );
  return { written, read: Object.entries(headers).map(([name, [hex, expected]]) => ({ name, header: hex, expected })) };
}

/** What the tests' own reader says of those that must be taken. */
export function readAgain(hex: string): { readonly command: string; readonly source?: string | undefined } | undefined {
  const read = readProxyHeader(Buffer.from(hex, 'hex'));
  return read === undefined ? undefined : { command: read.command, source: read.source };
}
