import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startEchoApp } from '../../../cli/demo/echo-app.ts';
import type { Routing } from '../../../core/traffic/index.ts';
import { nativeTypeUrls } from '../../../core/xds/index.ts';
import { loadState, StateStore } from '../../../gateway/index.ts';
import { AgentPlane, agentOptions, clusterName, host, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const leadingTo = (...clusters: string[]): Routing => ({
  virtualHosts: [
    {
      name: 'all',
      domains: ['*'],
      rules: [
        {
          name: 'shop/orders/0',
          matches: [],
          action: { type: 'route', destinations: clusters.map((cluster) => ({ destination: { cluster }, weight: 1 })), mirrors: [] },
        },
      ],
    },
  ],
  l4: [],
});

test('an agent asks for the rules of what it calls and for all they lead to, lets go of it, and keeps it on disk', async (t) => {
  const plane = await AgentPlane.start(t);
  const app = await startEchoApp('orders');
  onEnd(t, () => app.close());
  const [inbound, port, local] = [await deadPort(), await deadPort(), await deadPort()];
  const stateDir = await temporaryDir(t);
  const options = agentOptions({
    stateDir,
    token: await plane.token('orders'),
    services: [{ namespace: 'shop', name: 'orders', port, appPort: app.port }],
    inbound: { address: '127.0.0.1', port: inbound },
    outbound: { loopbackAddresses: false, explicit: { [`${host('orders')}:${port}`]: local } },
  });
  const orders = { name: 'orders', port, endpoints: [inbound], subsets: ['v1', 'v2', 'v3'] };
  const of = (subset: string) => clusterName('orders', port, subset);
  const [v1, v2, v3, hidden] = [of('v1'), of('v2'), of('v3'), clusterName('payments', 80)];
  const [whole, name] = [of(''), `${port}|${host('orders')}`];
  plane.serve([{ ...orders, routing: leadingTo(v1, v2, hidden) }]);
  const asked = (typeUrl: string) => {
    const [client] = plane.clients();
    return client?.types.find((each) => each.typeUrl === typeUrl);
  };
  const kept = async () => {
    const store = new StateStore();
    store.restore((await loadState(join(stateDir, 'xds-state'))).resources);
    return store.current;
  };
  const keeps = async (clusters: readonly string[], routing: Routing | undefined) => {
    const state = await kept();
    const same = (names: Iterable<string>) => JSON.stringify([...names].sort()) === JSON.stringify([...clusters].sort());
    return (
      same(state.clusters.keys()) && same(state.assignments.keys()) && JSON.stringify(state.routings.get(name)) === JSON.stringify(routing)
    );
  };
  const get = async () => ((await (await fetch(`http://127.0.0.1:${local}/`)).json()) as { app: string }).app;
  const first = await runTestAgent(t, options);
  await until('an answer', async () => (await get().catch(() => '')) === 'orders');
  await until('the rules and what they lead to', () => keeps([whole, v1, v2], leadingTo(v1, v2, hidden)));
  assert.ok(asked(nativeTypeUrls.routing));
  plane.serve([{ ...orders, routing: leadingTo(v3) }]);
  await until('other rules, without what those before led to', () => keeps([whole, v3], leadingTo(v3)));
  await first.agent.drain();
  await plane.stop();
  const second = await runTestAgent(t, options);
  assert.equal(second.agent.status().data.from, 'disk');
  await until('an answer without a control plane', async () => (await get().catch(() => '')) === 'orders');
  assert.ok(await keeps([whole, v3], leadingTo(v3)));
  await plane.start();
  plane.serve([orders]);
  await until('no rules any more', () => keeps([whole], undefined));
  assert.equal(await get(), 'orders');
});
