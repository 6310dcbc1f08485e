import assert from 'node:assert/strict';
import test from 'node:test';
import { compiledFaults } from '../../../control/assemble/compiled-faults.ts';
import { trafficObjectsOf } from '../../../control/assemble/config-objects.ts';
import { parserFor } from '../../../control/assemble/objects.ts';
import type { ObjectView, OwnedObject } from '../../../control/objects/index.ts';
import { createTrafficCompiler, type Finding, refusedByProxies } from '../../../control/routing/index.ts';
import { compiledCheck } from '../../../control/snapshot/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';
import { inputsOf, viewOf } from '../../support/catalog-view.ts';
import { hostSuffix, meshService } from '../../support/traffic-model.ts';

const view = viewOf([meshService('shop/orders', { 80: 'http', 81: 'http' }), meshService('shop/db', { 5432: 'tcp' })]);
const apiVersion = 'networking.istio.io/v1';

const document = (kind: string, name: string, spec: object) => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'shop' },
  spec,
});
const virtualService = (name: string, spec: object) => document('VirtualService', name, { hosts: ['orders'], ...spec });
const destinationRule = (spec: object) => document('DestinationRule', 'r', { host: 'orders', ...spec });
const many = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
const paths = (count: number) => many(count, (i) => ({ uri: { exact: `/${i}` } }));
const headers = (count: number) => many(count, (i) => ({ headers: { x: { exact: `${i}` } } }));
const route = [{ destination: { host: 'orders', port: { number: 80 } } }];
const slow = { connectionPool: { tcp: { maxConnectionDuration: '1200h', connectTimeout: '1200h' } } };
const gateway = document('Gateway', 'g', {
  selector: { istio: 'ingress' },
  servers: [{ port: { number: 80, name: 'a', protocol: 'HTTP' }, hosts: ['*'] }],
});

function parsed(documents: readonly object[]): readonly TrafficObject[] {
  return documents.map((each) => {
    const [found] = parseDocuments('test', JSON.stringify(each)).documents;
    assert.ok(found !== undefined);
    const checked = parserFor('mesh.test')(found);
    assert.ok(checked.ok, `taken as written: ${JSON.stringify(checked)}`);
    return checked.value as TrafficObject;
  });
}

const short = ({ object, path, message }: Finding) =>
  `${object.kind} ${object.name} ${path}: ${message.replace(/^.* for (.*), and stay on what they have: /, '$1: ')}`;

const cases: readonly (readonly [title: string, documents: readonly object[], expected: readonly string[]])[] = [
  [
    'matches that are many only once they are multiplied with those of who delegates',
    [
      virtualService('root', { http: [{ delegate: { name: 'd' }, match: headers(40) }] }),
      virtualService('d', { hosts: [], http: [{ route }, { match: paths(40), route }].reverse() }),
    ],
    ['VirtualService d spec.http[0]: shop/orders: matches: must not be more than 1024'],
  ],
  [
    'matches for each of many namespaces',
    [virtualService('a', { exportTo: many(40, (i) => `n${i}`), http: [{ match: paths(40), route }] })],
    ['VirtualService a spec.http[0]: shop/orders: matches: must not be more than 1024'],
  ],
  [
    'two rules of which the second has too much of everything',
    [
      virtualService('a', {
        http: [
          { match: paths(1), route },
          {
            headers: { request: { set: Object.fromEntries(many(300, (i) => [`x-${i}`, 'a'])) } },
            mirrors: many(17, () => route[0]),
            route: many(257, () => ({ ...route[0], weight: 1 })),
          },
        ],
      }),
    ],
    [
      'VirtualService a spec.http[1]: shop/orders: requestHeaders: must not be more than 256',
      'VirtualService a spec.http[1]: shop/orders: route.destinations: must not be more than 256',
      'VirtualService a spec.http[1]: shop/orders: route.mirrors: must not be more than 16',
    ],
  ],
  [
    'rules of bytes, by their kind and number',
    [
      document('VirtualService', 'b', {
        hosts: ['db'],
        tcp: [
          { match: [{ port: 1 }], route: [{ destination: { host: 'db' } }] },
          { match: [{ destinationSubnets: many(300, (i) => `10.0.${i % 250}.${i % 2}/32`) }], route: [{ destination: { host: 'db' } }] },
        ],
      }),
    ],
    ['VirtualService b spec.tcp[1]: shop/db: matches[0]: must not be more than 256'],
  ],
  [
    'a rule of a Gateway, told of the route',
    [gateway, document('VirtualService', 'a', { hosts: ['x.test'], gateways: ['g'], http: [{ match: paths(1025), route }] })],
    ['VirtualService a spec.http[0]: Gateway shop/g: matches: must not be more than 1024'],
  ],
  [
    'times that no field can hold, of the whole service',
    [destinationRule({ trafficPolicy: slow })],
    ['DestinationRule r spec.trafficPolicy: shop/orders: cannot be encoded: invalid uint32: 4320000000'],
  ],
  [
    'times that no field can hold, of a subset',
    [
      destinationRule({
        subsets: [
          { name: 'v1', labels: { version: 'v1' } },
          { name: 'v2', labels: { version: 'v2' }, trafficPolicy: slow },
        ],
      }),
    ],
    ['DestinationRule r spec.subsets[1].trafficPolicy: shop/orders: cannot be encoded: invalid uint32: 4320000000'],
  ],
  [
    'times that no field can hold, for callers of one namespace',
    [
      destinationRule({ subsets: [{ name: 'v1', labels: { version: 'v1' } }] }),
      {
        ...document('DestinationRule', 'theirs', { host: 'orders.shop.svc.cluster.local', trafficPolicy: slow }),
        metadata: { name: 'theirs', namespace: 'web' },
      },
    ],
    ['DestinationRule theirs spec.trafficPolicy: shop/orders: cannot be encoded: invalid uint32: 4320000000'],
  ],
  ['what is as large as may be', [virtualService('a', { http: [{ match: paths(1024), route }] })], []],
];

for (const [title, documents, expected] of cases) {
  test(`would be refused by proxies: ${title}`, () => {
    const { findings } = createTrafficCompiler({ hostSuffix, check: compiledCheck }).update(parsed(documents), view);
    assert.deepEqual([...new Set(findings.filter((f) => f.code === refusedByProxies).map(short))], expected);
    assert.ok(findings.every((f) => f.code !== refusedByProxies || f.severity === 'error'));
  });
}

const objectsOf = (documents: readonly object[]): ObjectView => {
  const all = parsed(documents).map((object): [string, OwnedObject] => {
    const { group, kind, namespace, name } = object;
    return [
      `${group}/${kind}/${namespace}/${name}`,
      { ref: { group, kind, namespace, name }, owner: { cluster: 'east', source: 'api' }, createdAt: 1, document: {}, object },
    ];
  });
  return { revision: 1, objects: new Map(all), conflicts: [], refused: [] };
};

test('only what a change newly causes counts, also where one resource is made of several objects', () => {
  const serving = createTrafficCompiler({ hostSuffix, check: compiledCheck });
  let inputs = { ...inputsOf(view), hostSuffix };
  const faults = compiledFaults(hostSuffix, () => inputs);
  const bad = document('VirtualService', 'bad', { hosts: ['x.test'], gateways: ['g'], http: [{ match: paths(1025), route }] });
  const fine = document('VirtualService', 'fine', { hosts: ['x.test'], gateways: ['g'], http: [{ match: paths(2), route }] });
  const worse = document('VirtualService', 'bad', {
    hosts: ['x.test'],
    gateways: ['g'],
    http: [
      { match: paths(1025), route },
      { match: paths(1026), route },
    ],
  });
  const named = (now: readonly object[], then: readonly object[]) => {
    const [before, after] = [objectsOf(now), objectsOf(then)];
    inputs = { ...inputs, traffic: serving.update(trafficObjectsOf(before), view) };
    return faults(before, after).map((f) => `${f.object.name} ${f.path}`);
  };
  assert.deepEqual(named([gateway], [gateway, bad, fine]), ['bad spec.http[0]']);
  assert.deepEqual(named([gateway, bad], [gateway, bad, fine]), []);
  assert.deepEqual(named([gateway, bad], [gateway, worse]), ['bad spec.http[1]']);
  assert.deepEqual(named([gateway, bad], [gateway]), []);
  assert.deepEqual(named([gateway], [gateway, fine]), [], 'what was refused is forgotten');
  assert.deepEqual(named([bad], [gateway, bad]), ['bad spec.http[0]'], 'who brings it into force is refused, whoever wrote it');
});
