import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProxyHeader } from '../../../gateway/engine/node/parse-proxy-header.ts';
import { authzVectors } from '../../support/engine-vectors/authz.ts';
import { cidrVectors } from '../../support/engine-vectors/cidr.ts';
import { clientHelloVectors } from '../../support/engine-vectors/client-hello.ts';
import { httpRouteVectors } from '../../support/engine-vectors/http-routes.ts';
import { l4RouteVectors } from '../../support/engine-vectors/l4-routes.ts';
import { proxyProtocolVectors, readAgain } from '../../support/engine-vectors/proxy-protocol.ts';
import { sniNameVectors } from '../../support/engine-vectors/sni-name.ts';
import { assertGolden } from '../../support/golden.ts';

// The native engine's tests read the same files: what the node engine does is what both must do.
const tables: Readonly<Record<string, () => unknown>> = {
  'client-hello': clientHelloVectors,
  'sni-name': sniNameVectors,
  'proxy-protocol': proxyProtocolVectors,
  cidr: cidrVectors,
  authz: authzVectors,
  'l4-routes': l4RouteVectors,
  // Of the prototype in bench/engines/http.
  'http-routes': httpRouteVectors,
};

for (const [name, table] of Object.entries(tables)) test(`vectors: ${name}`, () => assertGolden(`test/vectors/${name}.json`, table()));

test('headers of the PROXY protocol that must be taken are such to a reader that was written apart', () => {
  for (const { name, header, expected } of proxyProtocolVectors().read) {
    if (typeof expected !== 'string') assert.equal(readAgain(header)?.command, 'PROXY', name);
    else if (expected === 'more') assert.ok(header.length < 40 || readAgain(header) === undefined, name);
  }
});

test('the node engine reads headers of the PROXY protocol as the vectors have them, by the byte and at once', () => {
  const said = ({ address, port }: { address: string; port: number }) => `${address.includes(':') ? `[${address}]` : address}:${port}`;
  for (const { name, header, expected } of proxyProtocolVectors().read) {
    const whole = Buffer.from(header, 'hex');
    const outcome = parseProxyHeader(expected === 'more' ? whole : Buffer.concat([whole, Buffer.from('after')]));
    if (outcome.kind === 'header') {
      assert.equal(outcome.length, whole.length, name);
      const { ends } = outcome;
      assert.deepEqual(ends === undefined ? 'local' : [said(ends.source), said(ends.destination)], expected, name);
    } else assert.equal(outcome.kind === 'fault' ? outcome.fault.replace('proxy-header-', '') : 'more', expected, name);
    const first = Array.from({ length: whole.length + 1 }, (_, end) => parseProxyHeader(whole.subarray(0, end)));
    const final = first.findIndex(({ kind }) => kind !== 'more');
    if (final < 0) continue;
    // What was said of a part holds for the whole.
    for (const later of first.slice(final)) assert.deepEqual(later, first[final], name);
    assert.equal(first[final]?.kind, outcome.kind, name);
  }
});
