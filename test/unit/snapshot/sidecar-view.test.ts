import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerPolicies } from '../../../control/policy/index.ts';
import { createTrafficCompiler } from '../../../control/routing/index.ts';
import { createSnapshotBuilder, DialectResources, envoyDialect, explain, nativeDialect } from '../../../control/snapshot/index.ts';
import type { TrafficObject } from '../../../core/config/index.ts';
import { envoyTypeUrls, native, nativeTypeUrls, noClaims, type ResourceView } from '../../../core/xds/index.ts';
import { inputsOf, serviceOf, viewOf } from '../../support/catalog-view.ts';
import { clientOf } from '../../support/client-class.ts';
import { rule, sidecar, telemetry, to, virtualService } from '../../support/traffic-objects.ts';

const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });
const view = viewOf(['orders', 'stock', 'till'].map((name) => serviceOf(name, [{ instance: `${name}-1` }])));

/** A control plane's snapshots, of which the objects are changed. */
function plane(...first: TrafficObject[]) {
  const compiler = createTrafficCompiler({ hostSuffix: 'mesh.internal' });
  const builder = createSnapshotBuilder();
  const source = new DialectResources(builder, [nativeDialect, envoyDialect]);
  const inputs = (objects: readonly TrafficObject[]) => inputsOf(view, { policies, traffic: compiler.update(objects, view) });
  const set = (...objects: TrafficObject[]) => {
    builder.update(inputs(objects), new Set());
    source.publish();
  };
  set(...first);
  return { source, set, inputs };
}

const named = (of: ResourceView, typeUrl: string) =>
  [...(of.current()?.get(typeUrl)?.keys() ?? [])].map((name) => name.replace('.shop.mesh.internal', '')).sort();
const only = (...egressHosts: string[]) => sidecar('shop/default', { egressHosts });

test('a Sidecar narrows what its workloads see while they are connected, and what goes with it is told', () => {
  const { source, set } = plane();
  const agent = source.view(clientOf({ network: 'a' }));
  const other = source.view(clientOf({ network: 'a', identity: { trustDomain: 'mesh.test', namespace: 'bank', serviceAccount: 'b' } }));
  let told = 0;
  const end = agent.subscribe(() => {
    told += 1;
  });
  assert.deepEqual(named(agent, nativeTypeUrls.listener), ['orders', 'stock', 'till']);
  set(only('./stock'));
  assert.deepEqual(named(agent, nativeTypeUrls.listener), ['stock']);
  assert.deepEqual(named(agent, nativeTypeUrls.cluster), ['outbound|8080||stock']);
  assert.deepEqual(named(agent, nativeTypeUrls.loadAssignment), ['outbound|8080||stock']);
  assert.equal(agent.current()?.get(nativeTypeUrls.authz)?.size, 3, 'who enforces a policy needs it');
  assert.equal(told, 1);
  assert.deepEqual(named(other, nativeTypeUrls.listener), ['orders', 'stock', 'till']);
  set();
  assert.deepEqual(named(agent, nativeTypeUrls.listener), ['orders', 'stock', 'till']);
  assert.equal(told, 2);
  end();
});

test('by labels it is for some workloads of a namespace alone, and never for gateways', () => {
  const { source } = plane(sidecar('shop/till', { egressHosts: ['./stock'], workloadSelector: { app: 'till' } }));
  const listeners = (changes: Parameters<typeof clientOf>[0]) =>
    named(source.view(clientOf({ network: 'a', ...changes })), nativeTypeUrls.listener);
  assert.deepEqual(listeners({ labels: { app: 'till', zone: 'b' } }), ['stock']);
  assert.deepEqual(listeners({ labels: { app: 'web' } }), ['orders', 'stock', 'till']);
  const root = plane(sidecar('isthmus-system/default', { egressHosts: ['~/*'] }));
  const system = { trustDomain: 'mesh.test', namespace: 'isthmus-system', serviceAccount: 'gateway' };
  const gateway = root.source.view(clientOf({ kind: 'gateway', network: 'a', identity: system }));
  assert.equal(named(gateway, nativeTypeUrls.route).length, 3);
});

test('where rules of a service that is seen lead, requests get to, by no name of its own', () => {
  const leads = virtualService('shop/stock', ['stock'], [rule('all', [to('orders')])]);
  const { source, set } = plane(only('./stock'));
  const agent = source.view(clientOf({ network: 'a' }));
  const end = agent.subscribe(() => undefined);
  assert.deepEqual(named(agent, nativeTypeUrls.cluster), ['outbound|8080||stock']);
  set(only('./stock'), leads);
  assert.deepEqual(named(agent, nativeTypeUrls.listener), ['stock']);
  assert.deepEqual(named(agent, nativeTypeUrls.cluster), ['outbound|8080||orders', 'outbound|8080||stock']);
  assert.deepEqual(named(agent, nativeTypeUrls.loadAssignment), ['outbound|8080||orders', 'outbound|8080||stock']);
  end();
});

test("Envoy's own listeners and clusters follow as ours do", () => {
  const claim = (name: string, listen: number) => ({ namespace: 'shop', name, port: 8080, address: '127.0.0.1', listen });
  const { source, set } = plane();
  const claims = { ...noClaims, outbound: [claim('orders', 9001), claim('stock', 9002)] };
  const envoy = source.view(clientOf({ dialect: 'envoy', network: 'a', claims }));
  let told = 0;
  const end = envoy.subscribe(() => {
    told += 1;
  });
  assert.deepEqual(named(envoy, envoyTypeUrls.listener), ['outbound|127.0.0.1|9001', 'outbound|127.0.0.1|9002']);
  set(only('./stock'));
  assert.equal(told, 1);
  assert.deepEqual(named(envoy, envoyTypeUrls.listener), ['outbound|127.0.0.1|9002']);
  assert.deepEqual(named(envoy, envoyTypeUrls.cluster), ['outbound|8080||stock']);
  end();
});

test('explain names the Sidecar that hides a service', () => {
  const { inputs } = plane();
  const hidden = explain(inputs([only('./stock')]), 'shop/till', 'shop/orders');
  assert.equal(hidden.verdict, 'unreachable');
  assert.match(hidden.summary, /Sidecar shop\/default does not name shop\/orders/);
  assert.equal(explain(inputs([only('./stock')]), 'shop/till', 'shop/stock').verdict, 'allowed');
});

test('what a Telemetry says of logs reaches our proxies and Envoy while they are connected, and nobody whom it is not for', () => {
  const { source, set } = plane();
  const claims = { ...noClaims, outbound: [{ namespace: 'shop', name: 'stock', port: 8080, address: '127.0.0.1', listen: 9001 }] };
  const own = source.view(clientOf({ network: 'a' }));
  const envoy = source.view(clientOf({ dialect: 'envoy', network: 'a', claims }));
  const other = source.view(clientOf({ network: 'a', identity: { trustDomain: 'mesh.test', namespace: 'bank', serviceAccount: 'b' } }));
  const told = { own: 0, envoy: 0, other: 0 };
  const count = (who: keyof typeof told) => {
    told[who] += 1;
  };
  const ends = [own.subscribe(() => count('own')), envoy.subscribe(() => count('envoy')), other.subscribe(() => count('other'))];
  const logs = () => {
    const [listener] = envoy.current()?.get(envoyTypeUrls.listener)?.values() ?? [];
    const text = Buffer.from(listener?.value ?? []).toString('latin1');
    return [text.includes('envoy.access_loggers.stdout'), text.includes('response.code >= 400')];
  };
  const said = () => {
    const [resource] = own.current()?.get(nativeTypeUrls.telemetry)?.values() ?? [];
    return resource === undefined ? undefined : native.Telemetry.decode(resource.value);
  };
  assert.deepEqual([said(), logs()], [undefined, [true, false]]);
  const cluster = own.current()?.get(nativeTypeUrls.cluster)?.get('outbound|8080||stock.shop.mesh.internal')?.value;
  set(telemetry('shop/errors', [{ side: 'client', disabled: false, filter: 'response.code >= 400' }]));
  assert.deepEqual(said()?.client, { disabled: false, filter: 'response.code >= 400' });
  assert.deepEqual(logs(), [true, true]);
  assert.equal(own.current()?.get(nativeTypeUrls.cluster)?.get('outbound|8080||stock.shop.mesh.internal')?.value, cluster, 'encoded once');
  set(telemetry('shop/errors', [{ side: 'client', disabled: true }]));
  assert.deepEqual([said()?.client?.disabled, logs()], [true, [false, false]]);
  assert.deepEqual(told, { own: 2, envoy: 2, other: 0 });
  set();
  assert.deepEqual([said(), logs()], [undefined, [true, false]]);
  for (const end of ends) end();
});
