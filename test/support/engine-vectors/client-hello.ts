import { ClientHelloParser, type HelloOutcome } from '../../../gateway/engine/node/client-hello.ts';
import { helloMessage, inRecords, serverNames, vector16 } from '../client-hello-bytes.ts';

interface Case {
  readonly bytes: Uint8Array;
  /** Default 16,384. */
  readonly maxBytes?: number;
  /** It has the extension for Encrypted ClientHello, of which the node engine takes no note. */
  readonly encrypted?: true;
}

const sni = 'outbound_.80_._.orders.shop.mesh.internal';
const plain = helloMessage({ names: [sni], alpn: ['h2', 'http/1.1'] });
const grease = [0x0a0a, 0x1a1a, 0xfafa] as const;
const u16 = (...numbers: readonly number[]) => Buffer.from(numbers.flatMap((n) => [n >> 8, n & 255]));
const named = (...names: readonly string[]) => inRecords(helloMessage({ names }));
const withExtension = (type: number, content: Uint8Array) => inRecords(helloMessage({ others: [[type, content]] }));
const withAlpn = (content: Uint8Array) => withExtension(16, content);
const ofExtensions = (extensions: Uint8Array) => inRecords(helloMessage({ extensions }));
const behind = (bytes: Uint8Array, ...more: readonly number[]) => Buffer.concat([bytes, Buffer.of(...more)]);

/** Its parts as they are, sound or not. */
function handmade({ session = 32, suites = [0x13, 1], compressions = [0], tail = [] as readonly number[] }): Buffer {
  const body = [3, 3, ...new Array<number>(32).fill(7), session, ...new Array<number>(session).fill(9)];
  body.push(0, suites.length, ...suites, compressions.length, ...compressions, ...tail);
  return inRecords(Buffer.of(1, 0, body.length >> 8, body.length & 255, ...body));
}

const whole: Readonly<Record<string, Case>> = {
  'one record': { bytes: inRecords(plain) },
  'early data behind it': { bytes: behind(inRecords(plain), 23, 3, 3, 0, 2, 1, 2) },
  'a byte a record': { bytes: inRecords(plain, new Array(plain.length).fill(1)) },
  'the handshake header in two records': { bytes: inRecords(plain, [3]) },
  'the handshake header in a record of its own': { bytes: inRecords(plain, [4]) },
  'the name in two records': { bytes: inRecords(plain, [100, 7]) },
  'the last byte in a record of its own': { bytes: inRecords(plain, [plain.length - 1]) },
  'TLS 1.0 and 1.3 in record headers': { bytes: Buffer.concat([Buffer.of(22, 3, 4), inRecords(plain).subarray(3)]) },
  'no name': { bytes: inRecords(helloMessage({})) },
  'no extensions at all': { bytes: handmade({}) },
  'no session id': { bytes: handmade({ session: 0 }) },
  'an empty list of extensions': { bytes: handmade({ tail: [0, 0] }) },
  'upper case': { bytes: named('Orders.SHOP.Example') },
  'underscores at both ends': { bytes: named('_a.b_') },
  'one letter': { bytes: named('x') },
  'dots in a row are compared as they are': { bytes: named('a..b') },
  'a name of 255': { bytes: named(`a${'b.c'.repeat(84)}de`) },
  GREASE: { bytes: inRecords(helloMessage({ names: [sni], others: grease.map((type) => [type, Buffer.of(0)]), alpn: ['h2'] })) },
  'GREASE among protocols': { bytes: inRecords(helloMessage({ names: [sni], alpn: ['\x8a\x8a', 'h2'] })) },
  'Encrypted ClientHello': {
    bytes: inRecords(helloMessage({ names: ['public.example'], others: [[0xfe0d, Buffer.alloc(60, 1)]] })),
    encrypted: true,
  },
  'a post-quantum key share, in two records': {
    bytes: inRecords(helloMessage({ names: [sni], others: [[51, Buffer.alloc(1_216, 5)]] }), [1_000]),
  },
  'seventy extensions': {
    bytes: inRecords(helloMessage({ names: [sni], others: Array.from({ length: 70 }, (_, i) => [1_000 + i, Buffer.of()]) })),
  },
};

const faulty: Readonly<Record<string, Case>> = {
  nothing: { bytes: Buffer.of() },
  HTTP: { bytes: Buffer.from('GET / HTTP/1.1\r\n') },
  SSLv2: { bytes: Buffer.of(0x80, 0x2e, 1, 0, 2) },
  'an alert': { bytes: Buffer.of(21, 3, 1, 0, 2, 2, 40) },
  'not TLS 1': { bytes: Buffer.of(22, 4, 1, 0, 2) },
  'an empty fragment': { bytes: Buffer.of(22, 3, 1, 0, 0) },
  'a record above 2^14': { bytes: Buffer.of(22, 3, 1, 0x40, 1) },
  'an empty fragment in between': { bytes: behind(inRecords(plain.subarray(0, 50)), 22, 3, 3, 0, 0) },
  'application data in between': { bytes: behind(inRecords(plain.subarray(0, 50)), 23, 3, 3, 0, 1, 0) },
  'another version in between': { bytes: behind(inRecords(plain.subarray(0, 50)), 22, 2, 3, 0, 1, 0) },
  'a ServerHello': { bytes: inRecords(Buffer.of(2, 0, 0, 4, 0, 0, 0, 0)) },
  'a ServerHello by the byte': { bytes: inRecords(Buffer.of(2, 0, 0, 4, 0), [1, 1, 1, 1]) },
  'an empty hello': { bytes: inRecords(Buffer.of(1, 0, 0, 0)) },
  'a hello of one byte': { bytes: inRecords(Buffer.of(1, 0, 0, 1, 3)) },
  'a byte behind it in its record': { bytes: inRecords(behind(plain, 1)) },
  'a byte behind it in its last record': { bytes: inRecords(behind(plain, 1), [90]) },
  'a session id of 33': { bytes: handmade({ session: 33 }) },
  'no cipher suites': { bytes: handmade({ suites: [] }) },
  'half a cipher suite': { bytes: handmade({ suites: [0x13, 1, 0x13] }) },
  'no compression method': { bytes: handmade({ compressions: [] }) },
  'one byte for the length of extensions': { bytes: handmade({ tail: [0] }) },
  'extensions past the end': { bytes: handmade({ tail: [0, 5, 0, 0] }) },
  'a byte behind the extensions': { bytes: handmade({ tail: [0, 0, 0] }) },
  'half an extension type': { bytes: ofExtensions(Buffer.of(0)) },
  'an extension past the end': { bytes: ofExtensions(u16(21, 2)) },
  'two names': { bytes: named(sni, 'other.example') },
  'a byte behind the name': { bytes: withExtension(0, vector16(Buffer.concat([serverNames(['a']).subarray(2), Buffer.of(0)]))) },
  'the name twice': { bytes: inRecords(helloMessage({ names: [sni], others: [[0, serverNames([sni])]] })) },
  'an unknown extension twice': { bytes: ofExtensions(u16(21, 0, 21, 0)) },
  'the first of seventy again': { bytes: ofExtensions(u16(...Array.from({ length: 70 }, (_, i) => [1_000 + i, 0]).flat(), 1_000, 0)) },
  'an empty list of names': { bytes: withExtension(0, vector16(Buffer.of())) },
  'no list of names': { bytes: withExtension(0, Buffer.of()) },
  'a byte behind the list of names': { bytes: withExtension(0, behind(serverNames(['a']), 0)) },
  'a list of names past the end': { bytes: withExtension(0, Buffer.of(0, 50, 0, 0, 10, 97)) },
  'a name past the end': { bytes: withExtension(0, vector16(Buffer.of(0, 0, 9, 97))) },
  'an empty name': { bytes: named('') },
  'a name of another type': { bytes: withExtension(0, vector16(Buffer.of(1, 0, 1, 97))) },
  'a NUL in the name': { bytes: named('a\0b') },
  'a name beyond ASCII': { bytes: named('a\xfcb') },
  'a trailing dot': { bytes: named('a.b.') },
  'a leading hyphen': { bytes: named('-a.b') },
  'an asterisk': { bytes: named('*.example') },
  'an IPv6 address': { bytes: named('fd00::1') },
  'a name of 256': { bytes: named('a'.repeat(256)) },
  'an empty list of protocols': { bytes: withAlpn(vector16(Buffer.of())) },
  'an empty protocol': { bytes: withAlpn(vector16(Buffer.of(2, 104, 50, 0))) },
  'a protocol past the end': { bytes: withAlpn(vector16(Buffer.of(3, 104, 50))) },
  'a byte behind the protocols': { bytes: withAlpn(behind(vector16(Buffer.of(2, 104, 50)), 0)) },
  'two names, and then an extension past the end': {
    bytes: ofExtensions(Buffer.concat([u16(0), vector16(serverNames(['a', 'b'])), u16(21, 9)])),
  },
  'an extension past the end, and then two names': {
    bytes: ofExtensions(Buffer.concat([u16(21, 900, 0), vector16(serverNames(['a', 'b']))])),
  },
};

const one = inRecords(plain);
const crumbs = inRecords(plain, new Array(plain.length).fill(1));
const limits: Readonly<Record<string, Case>> = {
  'a hello of 16 MB, by its own word': { bytes: Buffer.of(22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff) },
  'larger than it may be, by its own word': { bytes: one, maxBytes: plain.length - 1 },
  'as large as it may be': { bytes: one, maxBytes: one.length },
  'one byte larger than it may be': { bytes: one, maxBytes: one.length - 1 },
  'all of what it may be, and not whole': { bytes: one.subarray(0, -1), maxBytes: one.length - 1 },
  'one byte short of what it may be': { bytes: one.subarray(0, -2), maxBytes: one.length - 1 },
  'record headers count': { bytes: crumbs, maxBytes: 400 },
  'as many records as it may be': { bytes: crumbs, maxBytes: crumbs.length },
  'malformed in the last byte that it may have': { bytes: Buffer.of(22, 3, 1, 0, 0), maxBytes: 5 },
};

/** What the node engine makes of each, and after how many bytes, come one by one. */
export function clientHelloVectors() {
  return Object.entries({ ...whole, ...faulty, ...limits }).map(([name, { bytes, maxBytes = 16_384, encrypted = false }]) => {
    const { outcome, after } = byTheByte(bytes, maxBytes);
    const hello = outcome.kind === 'hello' ? { hello: { sni: null, ...outcome.hello, encryptedClientHello: encrypted } } : {};
    const fault = outcome.kind === 'fault' ? { fault: outcome.fault } : {};
    return { name, bytes: Buffer.from(bytes).toString('hex'), maxBytes, after, ...hello, ...fault };
  });
}

function byTheByte(bytes: Uint8Array, maxBytes: number): { readonly outcome: HelloOutcome; readonly after: number } {
  const parser = new ClientHelloParser(maxBytes);
  for (let at = 0; at < bytes.length; at += 1) {
    const outcome = parser.push(bytes.subarray(at, at + 1));
    if (outcome.kind !== 'more') return { outcome, after: at + 1 };
  }
  return { outcome: { kind: 'more' }, after: bytes.length };
}
