import fc from 'fast-check';
import type { MergedService } from '../../control/catalog/index.ts';
import type { TrafficObject } from '../../core/config/index.ts';
import type { Protocol, ServiceKey } from '../../core/model/index.ts';
import { meshService } from './traffic-model.ts';
import {
  behind,
  callersOf,
  destinationRule,
  gateway,
  grant,
  routeObject,
  rule,
  serviceEntry,
  subset,
  to,
  virtualService,
} from './traffic-objects.ts';

/** Services that may be there, and names that objects have. */
export const ids = ['shop/a', 'shop/b', 'web/a', 'web/c'];
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
  fc
    .tuple(
      anId,
      fc.constantFrom('*', 'web/*', 'b.shop'),
      fc.constantFrom(80, 81),
      aTime,
      fc.constantFrom('istio' as const, 'gateway-api' as const),
    )
    .map(([id, host, port, createdAt, origin]) => gateway(id, [{ hosts: [host], port }], { createdAt, origin })),
  fc
    .tuple(anId, anId, aHost, rules, aTime)
    .map(([id, parent, host, http, createdAt]) =>
      virtualService(id, [host], http, { createdAt, parents: [{ type: 'mesh' }, behind(parent)] }),
    ),
  fc
    .tuple(anId, anId, anId)
    .map(([id, parent, service]) =>
      routeObject('HTTPRoute', id, { parents: [behind(parent)], http: [rule('r', [to(service, { service: true, port: 80 })])] }),
    ),
);
const aService: fc.Arbitrary<MergedService> = fc
  .tuple(anId, fc.constantFrom<Readonly<Record<number, Protocol>>>({ 80: 'http' }, { 80: 'http', 90: 'tcp' }, { 90: 'grpc' }), fc.boolean())
  .map(([id, ports, empty]) => meshService(id, ports, empty ? [] : [{ instance: 'i', labels: { version: 'v1' } }]));
/** A few changes at a time, so that most of what was there stays the very object that it was. */
export const aStep = fc.record({
  put: fc.array(anObject, { maxLength: 3 }),
  drop: fc.array(fc.nat(20), { maxLength: 1 }),
  services: fc.array(aService, { maxLength: 2 }),
  gone: fc.array(anId, { maxLength: 1 }),
});
export type Step = typeof aStep extends fc.Arbitrary<infer T> ? T : never;
export interface State {
  readonly objects: ReadonlyMap<string, TrafficObject>;
  readonly services: ReadonlyMap<string, MergedService>;
}

export function after(state: State, step: Step): State {
  const objects = new Map([...state.objects].filter((_, i) => !step.drop.includes(i)));
  for (const object of step.put) objects.set(`${object.group}/${object.kind}/${object.namespace}/${object.name}`, object);
  const services = new Map([...state.services].filter(([key]) => !step.gone.some((id) => id === key)));
  for (const service of step.services) services.set(service.key, service);
  return { objects, services };
}

export const firstState: State = { objects: new Map(), services: new Map(ids.slice(0, 3).map((id) => [id, meshService(id)])) };

/** Of a step: what the catalog would tell. */
export function keysOf(step: Step): ReadonlySet<ServiceKey> {
  return new Set([...step.services.map((s) => s.key), ...step.gone.map((id) => id as ServiceKey)]);
}
