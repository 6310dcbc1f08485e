import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerPolicies } from '../../../control/policy/index.ts';
import { createTrafficCompiler } from '../../../control/routing/index.ts';
import {
  createSnapshotBuilder,
  DialectResources,
  envoyDialect,
  type Snapshot,
  type SnapshotInputs,
} from '../../../control/snapshot/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import { networkId, type ServiceKey } from '../../../core/model/index.ts';
import { noClaims } from '../../../core/xds/index.ts';
import { gatewayOf, inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';
import { clientOf } from '../../support/client-class.ts';
import { hostSuffix } from '../../support/traffic-model.ts';
import { rule, to, trafficShift, virtualService } from '../../support/traffic-objects.ts';
import { clusterOf } from '../../support/traffic-sketch.ts';

const anybody = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
const agent = { kind: 'agent', network: networkId('a') } as const;
const gateway = { kind: 'gateway', network: networkId('a') } as const;
const farGateway = { kind: 'gateway', network: networkId('b') } as const;
const pay = 'shop/pay' as ServiceKey;

const orders = serviceOf('orders', [
  { instance: 'vm', sources: ['file/old'] },
  { instance: 'agent', address: '10.0.0.2', sources: ['vm/agents', 'file/old'] },
  { instance: 'pod', address: '10.1.0.1', network: 'b', sources: ['file/new'] },
  { instance: 'bare', address: '10.1.0.2', network: 'b', tlsMode: 'none', sources: ['file/new'] },
  { instance: 'other', address: '10.0.0.3', sources: ['nomad/x'] },
]);
const view = viewOf([orders, serviceOf('pay', [{ instance: 'p' }])], [gatewayOf('b', 'east', ['192.0.2.1', '192.0.2.2'])]);

function snapshotsOf(objects: readonly TrafficObject[], more: Partial<SnapshotInputs> = {}) {
  const traffic = createTrafficCompiler({ hostSuffix }).update(objects, view);
  const builder = createSnapshotBuilder();
  builder.update(inputsOf(view, { traffic, ...more }));
  return builder;
}

function reached(snapshot: Snapshot, cluster: string) {
  const found = snapshot.resources.endpoints.get(cluster)?.value.endpoints;
  return found?.map((e) => `${e.address} ${e.tls?.sni ?? 'in the clear'}`);
}

test('either side is an xDS cluster of its own endpoints at any weight, directly and through the gateways of other networks', () => {
  for (const weight of [0, 37.5, 100]) {
    const snapshot = snapshotsOf([trafficShift('shop/orders', weight)]).snapshot(agent);
    const sni = 'outbound_.8080_._.orders.shop.mesh.internal';
    assert.deepEqual(reached(snapshot, clusterOf('shop/orders', 'isthmus-from')), [`10.0.0.1 ${sni}`, `10.0.0.2 ${sni}`]);
    assert.deepEqual(
      reached(snapshot, clusterOf('shop/orders', 'isthmus-to')),
      ['192.0.2.1', '192.0.2.2'].flatMap((address) => [
        `${address} outbound_.8080_.gateway_isthmus-to_.orders.shop.mesh.internal`,
        `${address} outbound_.8080_.isthmus-to_.orders.shop.mesh.internal`,
      ]),
    );
    assert.deepEqual(snapshot.resources.inbound.get('shop/orders')?.value.subsets, ['isthmus-from', 'isthmus-to']);
  }
});

test('a gateway leads the server name of a side to the endpoints of that side alone', () => {
  const snapshot = snapshotsOf([trafficShift('shop/orders', 5)]).snapshot(farGateway);
  const led = (subset: string) => {
    const route = snapshot.resources.route.get(`outbound_.8080_.${subset}_.orders.shop.mesh.internal`)?.value;
    return route === undefined ? undefined : [route.mode, reached(snapshot, route.cluster)];
  };
  assert.deepEqual(led('isthmus-to'), ['passthrough', ['10.1.0.1 in the clear']]);
  assert.deepEqual(led('gateway_isthmus-to'), ['terminate', ['10.1.0.2 in the clear']]);
  assert.equal(led('isthmus-from'), undefined);
});

test('a gateway that calls for others has both sides, whose port or rule it may be, also where all the weight is on one', () => {
  const led = virtualService('shop/v', ['pay'], [rule('r', [to('orders')])]);
  for (const weight of [0, 5, 100]) {
    const objects = [trafficShift('shop/orders', weight), led];
    for (const service of [orders.key, pay]) {
      const builder = snapshotsOf(objects, { gatewayPorts: [{ service, port: 8080, gatewayPort: 16_000 }] });
      const names = [...builder.snapshot(gateway).resources.cluster.keys()].filter((name) => name.startsWith('outbound|'));
      for (const side of ['isthmus-from', 'isthmus-to']) assert.ok(names.includes(clusterOf('shop/orders', side)), `${service} ${weight}`);
    }
  }
});

test('a step changes where the weight is and no xDS cluster or endpoint', () => {
  const compiler = createTrafficCompiler({ hostSuffix });
  const builder = createSnapshotBuilder();
  const gatewayPorts = [{ service: orders.key, port: 8080, gatewayPort: 16_000 }];
  const at = (weight: number, services?: ReadonlySet<ServiceKey>) =>
    builder.update(
      inputsOf(view, { traffic: compiler.update([trafficShift('shop/orders', weight)], view, services), gatewayPorts }),
      services,
    );
  for (const client of [agent, gateway]) {
    at(0);
    const before = builder.snapshot(client);
    for (const weight of [1, 50, 100]) {
      at(weight, new Set());
      const after = builder.snapshot(client);
      for (const kind of ['cluster', 'endpoints', 'listener', 'route', 'inbound', 'authz'] as const) {
        const versions = (s: Snapshot) => [...s.resources[kind]].map(([name, { version }]) => `${name} ${version}`).sort();
        assert.deepEqual(versions(after), versions(before), `${client.kind} ${kind} at ${weight}`);
      }
      assert.notEqual(after.version, before.version);
    }
  }
});

test('a step alone is told to Envoy’s sidecars, whose rules are made for each of them, and to those alone whom it concerns', () => {
  const compiler = createTrafficCompiler({ hostSuffix });
  const builder = createSnapshotBuilder();
  const source = new DialectResources(builder, [envoyDialect]);
  const at = (weight: number, services?: ReadonlySet<ServiceKey>) => {
    const traffic = compiler.update([trafficShift('shop/orders', weight)], view, services);
    builder.update(inputsOf(view, { traffic, policies: anybody }), services);
    source.publish();
  };
  at(1);
  const listens = (name: string) => ({ namespace: 'shop', name, port: 8080, address: '127.0.0.1', listen: 9000 });
  const told = ['orders', 'pay'].map((name) => {
    const names: string[] = [];
    const client = clientOf({ dialect: 'envoy', network: 'a', claims: { ...noClaims, outbound: [listens(name)] } });
    source.view(client).subscribe((changed) => names.push(...(changed?.flatMap((c) => c.names) ?? ['everything'])));
    return names;
  });
  at(5, new Set());
  assert.deepEqual(told, [['8080|orders.shop.mesh.internal'], []]);
});
