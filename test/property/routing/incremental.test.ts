import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { MergedService } from '../../../control/catalog/index.ts';
import { createTrafficCompiler, type TrafficModel } from '../../../control/routing/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import type { Protocol, ServiceKey } from '../../../core/model/index.ts';
import { viewOf } from '../../support/catalog-view.ts';
import { hostSuffix, meshService } from '../../support/traffic-model.ts';
import {
  callersOf,
  destinationRule,
  grant,
  routeObject,
  rule,
  serviceEntry,
  subset,
  to,
  virtualService,
} from '../../support/traffic-objects.ts';

const ids = ['shop/a', 'shop/b', 'web/a', 'web/c'];
const anId = fc.constantFrom(...ids);
const aHost = fc.constantFrom('a', 'b.shop', 'a.web.mesh.internal', 'c.web.svc.cluster.local', 'bank.example', '*', '*.shop.mesh.internal');
const aSubset = fc.constantFrom('', 'v1', 'v2');
const anExport = fc.constantFrom<readonly string[]>([], ['.'], ['*'], ['web'], ['~']);
const aTime = fc.integer({ min: 1, max: 3 });

const aDestination = fc
  .tuple(
    fc.constantFrom('a', 'b.shop', 'a.web.mesh.internal', 'c.web', 'bank.example'),
    aSubset,
    fc.constantFrom(undefined, 80, 90),
    fc.integer({ min: 0, max: 3 }),
  )
  .map(([host, name, port, weight]) =>
    to(host, { weight, ...(name === '' ? {} : { subset: name }), ...(port === undefined ? {} : { port }) }),
  );
const aRule = fc
  .tuple(fc.array(aDestination, { minLength: 1, maxLength: 2 }), fc.option(anId), fc.constantFrom<readonly number[]>([], [80]))
  .map(([destinations, delegate, ports]) => {
    const [namespace = '', name = ''] = delegate?.split('/') ?? [];
    const match = { headers: [], query: [], sourceLabels: {} };
    const more = delegate === null ? {} : { delegate: { namespace, name } };
    return rule('r', destinations, { matches: [match], conditions: [{ ports, gateways: [] }], ...more });
  });
const rules = fc.array(aRule, { maxLength: 3 });
const anObject: fc.Arbitrary<TrafficObject> = fc.oneof(
  fc
    .tuple(anId, fc.array(aHost, { maxLength: 2 }), rules, anExport, aTime)
    .map(([id, hosts, http, exportTo, createdAt]) => virtualService(id, hosts, http, { exportTo, createdAt })),
  fc
    .tuple(anId, aHost, fc.array(fc.constantFrom(subset('v1'), subset('v2')), { maxLength: 2 }), anExport, aTime, fc.boolean())
    .map(([id, host, subsets, exportTo, createdAt, limited]) =>
      destinationRule(id, host, {
        subsets,
        exportTo,
        createdAt,
        policy: { ports: [], ...(limited ? { connections: { maxRequests: createdAt } } : {}) },
      }),
    ),
  fc.tuple(anId, anId, anId, aTime).map(([id, parent, service, createdAt]) =>
    routeObject('HTTPRoute', id, {
      parents: [callersOf(parent)],
      createdAt,
      http: [rule('r', [to(service, { service: true, port: 80 })])],
    }),
  ),
  fc.tuple(anId, anId).map(([id, from]) => grant(id, { kind: 'HTTPRoute', namespace: from.split('/')[0] ?? '' })),
  anId.map((id) => serviceEntry(id, ['bank.example'])),
);
const aService: fc.Arbitrary<MergedService> = fc
  .tuple(anId, fc.constantFrom<Readonly<Record<number, Protocol>>>({ 80: 'http' }, { 80: 'http', 90: 'tcp' }, { 90: 'grpc' }), fc.boolean())
  .map(([id, ports, empty]) => meshService(id, ports, empty ? [] : [{ instance: 'i', labels: { version: 'v1' } }]));
const aState = fc.record({
  objects: fc.array(anObject, { maxLength: 8 }),
  services: fc.uniqueArray(aService, { selector: (s) => s.key, maxLength: 4 }),
});

function contentOf(model: TrafficModel): unknown {
  return {
    services: ids.map((id) => [id, model.service(id as ServiceKey)]),
    gateways: [...model.gateways].sort(),
    findings: model.findings,
  };
}

test('whatever came before, a model says what one made of its inputs alone says, and tells what differs', () => {
  fc.assert(
    fc.property(fc.array(aState, { minLength: 1, maxLength: 6 }), fc.boolean(), (states, told) => {
      const compiler = createTrafficCompiler({ hostSuffix });
      let before: TrafficModel | undefined;
      let last: readonly MergedService[] = [];
      for (const { objects, services } of states) {
        const touched = new Set([...last, ...services].map((s) => s.key));
        const model = told ? compiler.update(objects, viewOf(services), touched) : compiler.update(objects, viewOf(services));
        assert.deepEqual(contentOf(model), contentOf(createTrafficCompiler({ hostSuffix }).update(objects, viewOf(services))));
        if (model !== before) {
          const different = ids.filter((id) => model.service(id as ServiceKey) !== before?.service(id as ServiceKey));
          assert.deepEqual([...model.changed.services].sort(), different.sort());
        }
        for (const id of ids) {
          const [was, is] = [before?.service(id as ServiceKey), model.service(id as ServiceKey)];
          if (was !== is) assert.notDeepEqual(was, is, 'what says the same is the same object');
        }
        before = model;
        last = services;
      }
    }),
    { numRuns: 300 },
  );
});
