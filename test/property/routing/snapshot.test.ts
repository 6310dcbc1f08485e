import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { callerPolicies } from '../../../control/policy/index.ts';
import { createTrafficCompiler } from '../../../control/routing/index.ts';
import { type ClientClass, createSnapshotBuilder, type Snapshot, type SnapshotBuilder } from '../../../control/snapshot/index.ts';
import { networkId } from '../../../core/model/index.ts';
import type { ClusterRef, Routing } from '../../../core/traffic/index.ts';
import { inputsOf, viewOf } from '../../support/catalog-view.ts';
import { after, aStep, firstState, keysOf } from '../../support/traffic-history.ts';
import { hostSuffix } from '../../support/traffic-model.ts';

const clients: readonly ClientClass[] = [
  { kind: 'agent', network: networkId('a') },
  { kind: 'agent', network: networkId('b') },
  { kind: 'agent', network: networkId('a'), namespace: 'web' },
  { kind: 'ingress', network: networkId('a'), labels: { istio: 'ingress', app: 'edge' } },
  { kind: 'ingress', network: networkId('a'), labels: { istio: 'ingress', app: 'edge' }, namespace: 'shop' },
];
const policies = callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports: [], peers: new Map() });

function clustersOf(routing: Routing): readonly ClusterRef[] {
  const actions = routing.virtualHosts.flatMap((v) => v.rules.map((r) => r.action)).filter((action) => action.type === 'route');
  return [...actions.flatMap((a) => [...a.destinations, ...a.mirrors]), ...routing.l4.flatMap((r) => r.destinations)].map(
    (d) => d.destination,
  );
}

/** Everything that is named is there, for this very client. */
function assertWhole(snapshot: Snapshot): void {
  const { cluster, endpoints, routing, listener } = snapshot.resources;
  for (const { name, value } of routing.values()) {
    for (const ref of clustersOf(value)) {
      if (ref.cluster === '') assert.ok(ref.missing === 500 || ref.missing === 503);
      else assert.ok(cluster.has(ref.cluster) && endpoints.has(ref.cluster), `${name} leads to ${ref.cluster}`);
    }
    const domains = value.virtualHosts.flatMap((v) => v.domains);
    assert.equal(new Set(domains).size, domains.length);
  }
  for (const { name, value } of listener.values()) {
    const names =
      value.type === 'ingress'
        ? value.servers.map((s) => s.routing)
        : value.type === 'service'
          ? value.ports.map((p) => p.routing)
          : [value.routing];
    for (const one of names) assert.ok(one === undefined || routing.has(one), `${name} asks for ${one}`);
  }
}

test('a snapshot of whatever rules names nothing that it does not hold, and is what one made at once is', () => {
  fc.assert(
    fc.property(fc.array(aStep, { minLength: 1, maxLength: 6 }), (steps) => {
      const compiler = createTrafficCompiler({ hostSuffix });
      const builder = createSnapshotBuilder();
      let state = firstState;
      for (const [i, step] of steps.entries()) {
        state = after(state, step);
        const services = i === 0 ? undefined : keysOf(step);
        const objects = [...state.objects.values()];
        const view = viewOf([...state.services.values()], [], i);
        builder.update({ ...inputsOf(view), policies, traffic: compiler.update(objects, view, services) }, services);
        assert.deepEqual([...builder.faults()], []);
        const fresh = createSnapshotBuilder();
        fresh.update({ ...inputsOf(view), policies, traffic: createTrafficCompiler({ hostSuffix }).update(objects, view) });
        for (const client of clients) compare(builder, fresh, client);
      }
    }),
    { numRuns: 60 },
  );
});

function compare(builder: SnapshotBuilder, fresh: SnapshotBuilder, client: ClientClass): void {
  const snapshot = builder.snapshot(client);
  assertWhole(snapshot);
  assert.equal(snapshot.version, fresh.snapshot(client).version);
}
