import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authzVectors } from '../../support/engine-vectors/authz.ts';
import { cidrVectors } from '../../support/engine-vectors/cidr.ts';
import { clientHelloVectors } from '../../support/engine-vectors/client-hello.ts';
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
};

for (const [name, table] of Object.entries(tables)) test(`vectors: ${name}`, () => assertGolden(`test/vectors/${name}.json`, table()));

test('headers of the PROXY protocol that must be taken are such to a reader that was written apart', () => {
  for (const { name, header, expected } of proxyProtocolVectors().read) {
    if (typeof expected !== 'string') assert.equal(readAgain(header)?.command, 'PROXY', name);
    else if (expected === 'more') assert.ok(header.length < 40 || readAgain(header) === undefined, name);
  }
});
