import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { ClientHelloParser, type HelloOutcome } from '../../../gateway/engine/node/client-hello.ts';
import { helloMessage, inRecords, serverNames, vector16 } from '../../support/client-hello-bytes.ts';

const limit = 16_384;
const sni = 'outbound_.80_._.orders.shop.mesh.internal';

function feed(bytes: Uint8Array, cuts: readonly number[] = [], maxBytes = limit): HelloOutcome {
  const parser = new ClientHelloParser(maxBytes);
  let outcome: HelloOutcome = { kind: 'more' };
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    const end = Math.min(bytes.length, at + Math.max(1, cut));
    outcome = parser.push(bytes.subarray(at, end));
    at = end;
  }
  return outcome;
}

const faultOf = (outcome: HelloOutcome) => (outcome.kind === 'fault' ? outcome.fault : outcome.kind);
const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 60 });

describe('ClientHello parser', () => {
  test('what a real client sends', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect({
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      servername: sni,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    client.on('error', () => {});
    const [socket] = (await once(server, 'connection')) as [import('node:net').Socket];
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    client.destroy();
    socket.destroy();
    server.close();
    assert.deepEqual(feed(bytes), { kind: 'hello', hello: { sni, alpn: ['h2', 'http/1.1'] } });
    assert.equal(feed(bytes.subarray(0, -1)).kind, 'more');
  });

  test('however it is cut, into records and into packets, the outcome is the same', () => {
    const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?$/);
    const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));
    const alpn = fc.array(fc.stringMatching(/^[a-z0-9./]{1,12}$/), { minLength: 1, maxLength: 4 });
    // GREASE values, ECH (0xfe0d), padding, and unknown ones: read over.
    const others = fc.uniqueArray(
      fc.tuple(fc.constantFrom(0x0a0a, 0xfafa, 0xfe0d, 21, 43, 51, 60_000), fc.uint8Array({ maxLength: 300 })),
      {
        selector: ([type]) => type,
      },
    );
    fc.assert(
      fc.property(name, alpn, others, cuts, cuts, (each, protocols, more, records, packets) => {
        const bytes = inRecords(helloMessage({ names: [each], alpn: protocols, others: more }), records);
        assert.deepEqual(feed(bytes, packets), { kind: 'hello', hello: { sni: each, alpn: protocols } });
        assert.equal(feed(bytes.subarray(0, bytes.length - 1), packets).kind, 'more');
      }),
    );
  });

  test('never throws, and never keeps more than it may, whatever comes', () => {
    const good = inRecords(helloMessage({ names: [sni], alpn: ['h2'] }), [3, 40]);
    const mutated = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => {
      const bytes = Buffer.from(good);
      bytes[at] = value;
      return bytes;
    });
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 2_000 }),
      mutated,
      fc.uint8Array({ maxLength: 600 }).map((b) => inRecords(helloMessage({ extensions: b }))),
    );
    fc.assert(
      fc.property(anything, cuts, (bytes, packets) => {
        const outcome = feed(bytes, packets);
        assert.ok(['more', 'hello', 'fault'].includes(outcome.kind));
        assert.deepEqual(feed(bytes), outcome, 'packets make no difference');
      }),
      { numRuns: 2_000 },
    );
  });

  test('malformed ones, each by its name', () => {
    const names = (content: Uint8Array) => inRecords(helloMessage({ others: [[0, content]] }));
    const cases: readonly [string, Uint8Array, string][] = [
      ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'hello-not-tls'],
      ['SSLv2', Buffer.of(0x80, 0x2e, 1, 0, 2), 'hello-not-tls'],
      ['an alert', Buffer.of(21, 3, 1, 0, 2, 2, 40), 'hello-not-tls'],
      ['not TLS 1.x', Buffer.of(22, 4, 1, 0, 2), 'hello-not-tls'],
      ['an empty fragment', Buffer.of(22, 3, 1, 0, 0), 'hello-malformed'],
      ['a record above 2^14', Buffer.of(22, 3, 1, 0x40, 1), 'hello-malformed'],
      [
        'another record in between',
        Buffer.concat([inRecords(helloMessage({ names: [sni] }).subarray(0, 50)), Buffer.of(23, 3, 3, 0, 1, 0)]),
        'hello-malformed',
      ],
      ['a ServerHello', inRecords(Buffer.of(2, 0, 0, 4, 0, 0, 0, 0)), 'hello-malformed'],
      ['an empty hello', inRecords(Buffer.of(1, 0, 0, 0)), 'hello-malformed'],
      ['something behind the hello', inRecords(Buffer.concat([helloMessage({ names: [sni] }), Buffer.of(1)])), 'hello-malformed'],
      ['two names', inRecords(helloMessage({ names: [sni, 'other.example'] })), 'hello-multiple-names'],
      ['the extension twice', inRecords(helloMessage({ names: [sni], others: [[0, serverNames([sni])]] })), 'hello-malformed'],
      ['no name in the list', names(vector16(Buffer.alloc(0))), 'hello-malformed'],
      ['an empty name', names(serverNames([''])), 'hello-malformed'],
      ['a name of another type', names(vector16(Buffer.concat([Buffer.of(1), vector16(Buffer.from('a'))]))), 'hello-malformed'],
      ['a NUL in the name', names(serverNames(['a\0b'])), 'hello-malformed'],
      ['a trailing dot', names(serverNames(['a.b.'])), 'hello-malformed'],
      ['a name above 255', names(serverNames(['a'.repeat(256)])), 'hello-malformed'],
      ['a length past the end', names(Buffer.of(0, 50, 0, 0, 10, 97)), 'hello-malformed'],
      ['a hello of 16 MB', Buffer.of(22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff), 'hello-oversized'],
    ];
    for (const [what, bytes, expected] of cases) assert.equal(faultOf(feed(bytes)), expected, what);
    assert.deepEqual(feed(inRecords(helloMessage({}))), { kind: 'hello', hello: { alpn: [] } }, 'no name is no fault here');
    assert.deepEqual(feed(inRecords(helloMessage({ names: ['A.Example'] }))), { kind: 'hello', hello: { sni: 'a.example', alpn: [] } });
  });

  test('an oversized one in many small records is refused at the limit', () => {
    const message = helloMessage({ names: [sni], others: [[60_001, Buffer.alloc(12_000)]] });
    assert.equal(feed(inRecords(message)).kind, 'hello');
    assert.equal(faultOf(feed(inRecords(message), [], 8_192)), 'hello-oversized');
    const crumbs = inRecords(message, new Array(12_000).fill(1));
    assert.equal(faultOf(feed(crumbs)), 'hello-oversized', 'record headers count');
  });
});
