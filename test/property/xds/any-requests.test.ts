import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { discovery, envoyOrder, envoyTypeUrls, type ResourceSet } from '../../../core/xds/index.ts';
import { DeltaServerState, defaultRequestLimits, SotwServerState } from '../../../core/xds/server/index.ts';
import { bytesOf } from '../../support/sotw-client.ts';

const limits = { ...defaultRequestLimits, subscriptions: 8, types: 4, nameLength: 12 };
const typeUrl = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...Object.values(envoyTypeUrls)) }, fc.string({ maxLength: 300 }));
const name = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('a', 'b', '*') },
  fc.constantFrom('', '__proto__', 'constructor'),
  fc.string(),
);
const names = fc.array(name, { maxLength: 6 });
const nonce = fc.oneof(fc.constantFrom('', 's.1', 's.2', 's.3', '1'), fc.string());
const error = fc.option(
  fc.record({
    code: fc.integer(),
    message: fc.oneof(fc.string(), fc.constantFrom('resource index 0: x', 'Error adding/updating cluster(s) a: x', 'name: "b"')),
    details: fc.array(fc.record({ typeUrl: fc.string(), value: fc.uint8Array().map((bytes) => Buffer.from(bytes)) }), { maxLength: 1 }),
  }),
  { nil: undefined },
);
const world: fc.Arbitrary<ResourceSet> = fc
  .dictionary(fc.constantFrom(...Object.values(envoyTypeUrls)), fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2')))
  .map((types) => {
    const all = Object.entries(types).map(([url, resources]) => {
      const list = Object.entries(resources).map(([n, version]) => [n, { name: n, version, value: bytesOf(n, version) }] as const);
      return [url, new Map(list)] as const;
    });
    return new Map(all);
  });

test('whatever a state-of-the-world client says, it gets an outcome and bounded work', () => {
  const request = fc.record({ typeUrl, resourceNames: names, responseNonce: nonce, versionInfo: nonce, errorDetail: error });
  fc.assert(
    fc.property(fc.array(fc.tuple(request, world), { maxLength: 30, size: 'max' }), (steps) => {
      const state = new SotwServerState(envoyOrder, limits, 's.');
      for (const [fields, resources] of steps) {
        if (state.request(discovery.DiscoveryRequest.create(fields)).kind === 'refused') return;
        state.changed(undefined);
        let sent = 0;
        while (state.next(resources) !== undefined) sent += 1;
        assert.ok(sent <= limits.types, 'at most one a type waits for its answer');
        assert.ok([...state.types()].every((type) => type.acked.size <= 16 && type.quarantined.size <= 16));
      }
    }),
    { numRuns: 1_000 },
  );
});

test('whatever a delta client says, it gets an outcome and bounded work', () => {
  const known = fc.dictionary(name, nonce, { maxKeys: 6 });
  const request = fc.record({
    typeUrl,
    resourceNamesSubscribe: names,
    resourceNamesUnsubscribe: names,
    initialResourceVersions: known,
    responseNonce: nonce,
    errorDetail: error,
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(request, world), { maxLength: 30, size: 'max' }), (steps) => {
      const state = new DeltaServerState(envoyOrder, limits, 's.');
      for (const [fields, resources] of steps) {
        if (state.request(discovery.DeltaDiscoveryRequest.create(fields)).kind === 'refused') return;
        state.changed(undefined);
        let sent = 0;
        while (state.next(resources) !== undefined) sent += 1;
        assert.ok(sent <= limits.types, 'at most one a type waits for its answer');
      }
    }),
    { numRuns: 1_000 },
  );
});
