import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseProxyHeader } from '../../../gateway/engine/node/parse-proxy-header.ts';
import { proxyProtocolVectors } from '../../support/engine-vectors/proxy-protocol.ts';

const known = proxyProtocolVectors().read.map(({ header }) => Buffer.from(header, 'hex'));
/** What is nearly a header: one of the vectors, with some bytes changed, and something behind it. */
const nearly = fc
  .tuple(fc.constantFrom(...known), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.uint8Array({ maxLength: 300 }))
  .map(([header, changes, behind]) => {
    const bytes = Buffer.concat([header, behind]);
    for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes;
  });
const anything = fc.oneof(
  nearly,
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
);

test('whatever comes is a header within the bytes, a fault or a wish for more, and what was said of a part holds for the whole', () => {
  fc.assert(
    fc.property(anything, fc.nat(), (bytes, cut) => {
      const whole = parseProxyHeader(bytes);
      if (whole.kind === 'header') assert.ok(whole.length > 0 && whole.length <= Math.min(bytes.length, 4_096));
      if (whole.kind === 'more') assert.ok(bytes.length < 4_096);
      const part = parseProxyHeader(bytes.subarray(0, cut % (bytes.length + 1)));
      if (part.kind !== 'more') assert.deepEqual(whole, part);
    }),
    { numRuns: 5_000 },
  );
});
