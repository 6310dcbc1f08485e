import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../support/until.ts';
import { type ProxylessMesh, startMesh } from './proxyless/mesh.ts';
import { answered, calls, joinMachine, type Program, startGrpcClient, startGrpcServer, steadyCalls } from './proxyless/site.ts';
import { endInReverse } from './servers/index.ts';

interface Started {
  readonly mesh: ProxylessMesh;
  readonly join: (name: string, identity: string) => ReturnType<typeof joinMachine>;
  readonly ending: (end: () => Promise<unknown>) => void;
}

async function started(t: TestContext, machines: readonly string[]): Promise<Started> {
  const ending = endInReverse(t);
  const mesh = await startMesh(ending, machines);
  const join = async (name: string, identity: string) => {
    const machine = await joinMachine(mesh.host(name), mesh.control, { identity });
    ending(() => machine.agent.stop());
    return machine;
  };
  return { mesh, join, ending };
}

const serving = (server: Program) => until(`${server.name} serves`, async () => (await server.ask('/')) === 'serving');
const errorOf = (outcome: { error?: string } | undefined) => outcome?.error ?? 'the call went through';

test('client and server of grpc-js-xds: mTLS by SPIFFE identity both ways, through our xDS', { timeout: 400_000 }, async (t) => {
  const { mesh, join: joined, ending } = await started(t, ['orders1', 'orders2', 'web', 'stranger', 'blind']);
  const { control, host } = mesh;
  await mesh.orders([{ host: host('orders1') }]);
  const [orders1, orders2] = [await joined('orders1', 'shop/orders'), await joined('orders2', 'shop/orders')];
  const [web, stranger] = [await joined('web', 'shop/web'), await joined('stranger', 'shop/stranger')];
  const servers = await Promise.all([orders1, orders2, stranger].map((machine) => startGrpcServer(machine)));
  for (const server of servers) ending(() => server.stop());
  await Promise.all(servers.map(serving));
  const client = await startGrpcClient(web);
  ending(() => client.stop());
  const reaches = (name: string) => until(`calls go to ${name}`, async () => answered(await calls(client, 5)).join() === name);

  await t.test('both see whom they talk to', async () => {
    await reaches('orders1');
    const [outcome] = await calls(client, 1);
    assert.ok(outcome !== undefined && 'ok' in outcome);
    assert.match(outcome.ok.caller, /URI:spiffe:\/\/proxyless\.test\/ns\/shop\/sa\/web/);
  });

  await t.test('a change of endpoints moves the calls, and none fails', async () => {
    const load = steadyCalls(client, false);
    await mesh.orders([{ host: host('orders2') }]);
    await reaches('orders2');
    await load.stop();
    answered(load.outcomes);
  });

  await t.test('unequal weights are kept', async () => {
    await mesh.orders([
      { host: host('orders1'), weight: 1 },
      { host: host('orders2'), weight: 9 },
    ]);
    await reaches('orders1,orders2');
    const outcomes = await calls(client, 400);
    const first = outcomes.filter((o) => 'ok' in o && o.ok.server === 'orders1').length;
    assert.ok(first > 10 && first < 90, `${first} of 400 went to a tenth of the weight`);
  });

  await t.test('a server of another identity is refused', async () => {
    await mesh.orders([{ host: host('stranger') }]);
    // While clusters are replaced, calls may fail for other reasons.
    await until('a refusal of its name', async () => {
      const [outcome] = await calls(client, 1, { fresh: true });
      const error = errorOf(outcome as { error?: string } | undefined);
      assert.match(error, /No matching subject alternative name found/);
      return true;
    });
    await mesh.orders([{ host: host('orders1') }]);
    await reaches('orders1');
  });

  await t.test('a caller that policy refuses is told of no such service, and refused where it calls all the same', async () => {
    const other = await startGrpcClient(stranger);
    ending(() => other.stop());
    const [unknown] = await calls(other, 1, { deadline: 3_000 });
    assert.match(errorOf(unknown as { error?: string }), /waiting for name resolution/);
    const at = `${host('orders1').address}:50051`;
    const [refused] = await calls(other, 1, { target: at, certificates: join(stranger.stateDir, 'certificates') });
    assert.deepEqual(refused, { error: 'Unauthorized RPC rejected', code: 7 });
    const [allowed] = await calls(client, 1, { target: at, certificates: join(web.stateDir, 'certificates') });
    assert.ok(allowed !== undefined && 'ok' in allowed);
  });

  await t.test('certificates are renewed in place, under load on connections old and new', async () => {
    const [kept, fresh] = [steadyCalls(client, false), steadyCalls(client, true)];
    const serials = () => new Set(fresh.outcomes.flatMap((o) => ('ok' in o ? [o.ok.serial] : [])));
    await until('three certificates of the caller', () => serials().size >= 3, 90_000);
    await Promise.all([kept.stop(), fresh.stop()]);
    answered([...kept.outcomes, ...fresh.outcomes]);
  });

  await t.test('calls go on while the control plane is down, and follow it again afterwards', async () => {
    const load = steadyCalls(client, false);
    await control.process.kill9();
    const before = load.outcomes.length;
    await until('many calls without it', () => load.outcomes.length > before + 200);
    await mesh.orders([{ host: host('orders2') }]);
    await control.process.restart();
    await until('calls follow', async () => answered(await calls(client, 5)).join() === 'orders2', 60_000);
    await load.stop();
    answered(load.outcomes);
  });

  await t.test('what a client refuses stands in isthmus status, with its own words', async () => {
    const blind = await startGrpcClient(await joined('blind', 'shop/web'), (text) => {
      const { certificate_providers: providers, ...rest } = JSON.parse(text) as { certificate_providers: Record<string, object> };
      const { 'anchor-east': _missing, ...others } = providers;
      return JSON.stringify({ ...rest, certificate_providers: others });
    });
    ending(() => blind.stop());
    void calls(blind, 1, { deadline: 30_000 });
    const refused = await until('the refusal', async () => {
      const { clients } = await control.status();
      return clients.find((c) => c.instance === 'blind.client' && c.refused.length > 0);
    });
    assert.match(refused.refused[0]?.reason ?? '', /Unmatched .*anchor-east/);
    assert.match(await control.run('status'), /blind\.client \(grpc\) refused .*anchor-east/);
    answered(await calls(client, 5));
  });
});

test('a server that has RBAC switched off refuses its Listener and serves nobody', { timeout: 200_000 }, async (t) => {
  const { mesh, join: joined, ending } = await started(t, ['orders1', 'web']);
  await mesh.orders([{ host: mesh.host('orders1') }]);
  const [orders1, web] = [await joined('orders1', 'shop/orders'), await joined('web', 'shop/web')];
  const server = await startGrpcServer(orders1, { rbac: false });
  ending(() => server.stop());
  const refused = await until('the refusal', async () => {
    const { clients } = await mesh.control.status();
    return clients.find((c) => c.instance === 'orders1.server' && c.refused.length > 0);
  });
  assert.match(refused.refused[0]?.reason ?? '', /callers filter validation failed/);
  assert.notEqual(await server.ask('/'), 'serving');
  const client = await startGrpcClient(web);
  ending(() => client.stop());
  const [outcome] = await calls(client, 1, {
    target: `${mesh.host('orders1').address}:50051`,
    certificates: join(web.stateDir, 'certificates'),
  });
  assert.ok(outcome !== undefined && 'error' in outcome);
});
