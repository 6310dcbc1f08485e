import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startEchoApp } from '../../cli/demo/echo-app.ts';
import { createTrafficCompiler } from '../../control/routing/index.ts';
import type { TrafficObject } from '../../core/config/index.ts';
import { temporaryDir } from '../support/control-plane.ts';
import { EnvoyMesh, refusedUpdates, startApp, untilListening } from '../support/envoy-mesh.ts';
import { sceneInputs } from '../support/envoy-scene.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { endpoint, service } from '../support/mesh-records.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { telemetry as telemetryObject } from '../support/traffic-objects.ts';
import { until } from '../support/until.ts';
import { EnvoyNodes } from './envoy/mesh.ts';

/** `web` calls `orders` and `stock`, all with one kind of proxy. */
async function shop(t: TestContext, proxy: 'isthmus' | 'envoy') {
  const mesh = await EnvoyNodes.start(t);
  const folder = await temporaryDir(t);
  const apps = await Promise.all(['orders', 'stock'].map((name) => startEchoApp(name)));
  for (const app of apps) onEnd(t, () => app.close());
  const [toOrders, toStock] = [await deadPort(), await deadPort()];
  const orders = await mesh.vm('orders', { serves: { port: 8080, appPort: apps[0]?.port ?? 0 }, proxy });
  await mesh.vm('stock', { serves: { port: 8080, appPort: apps[1]?.port ?? 0 }, proxy });
  const outbound = { 'orders.shop.mesh.internal:8080': toOrders, 'stock.shop.mesh.internal:8080': toStock };
  const web = await mesh.vm('web', { outbound, proxy });
  const apply = async (yaml: string) => {
    await writeFile(join(folder, 'objects.yaml'), yaml);
    await mesh.cli('apply', '-f', join(folder, 'objects.yaml'));
  };
  const call = (port: number, path = '/') =>
    // A listener that is being taken away may leave a connection standing in its queue: that is no answer either.
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(5_000) }).then(
      async (answer) => {
        await answer.arrayBuffer();
        return answer.status;
      },
      () => 0,
    );
  return { mesh, orders, web, apply, call, toOrders, toStock };
}

const sidecar = (hosts: string) => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: shop }
spec: { egress: [{ hosts: [${hosts}] }] }
`;

const telemetry = (entries: string) => `
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: logs, namespace: shop }
spec: { accessLogging: [${entries}] }
`;

for (const proxy of ['isthmus', 'envoy'] as const) {
  test(`Sidecar.egress.hosts, with ${proxy}: what it does not name is gone while the proxy runs, and comes back`, {
    timeout: 240_000,
  }, async (t) => {
    const { mesh, apply, call, toOrders, toStock } = await shop(t, proxy);
    const answers = async () => [(await call(toOrders)) === 200, (await call(toStock)) === 200];
    const settle = (what: string, ...wanted: boolean[]) => until(what, async () => String(await answers()) === String(wanted), 60_000);
    await settle('both services', true, true);
    await apply(sidecar('./stock'));
    await settle('orders to be hidden', false, true);
    assert.match(await mesh.cli('explain', 'shop/stock', 'shop/orders').catch(String), /Sidecar shop\/default does not name shop\/orders/);
    await apply(sidecar('"*/*"'));
    await settle('orders to be seen again', true, true);
    await apply(sidecar('~/*'));
    await settle('nothing to be seen', false, false);
    await mesh.cli('delete', 'sidecar', 'default', '-n', 'shop');
    await settle('everything to be seen', true, true);
  });

  test(`Telemetry.accessLogging, with ${proxy}: disabled, by side, and by a filter`, { timeout: 240_000 }, async (t) => {
    const { apply, call, web, orders, toOrders } = await shop(t, proxy);
    await until('a call', async () => (await call(toOrders)) === 200);
    const keptMs = proxy === 'envoy' ? 1_500 : 200;
    let turn = 0;
    /** Who writes that a request was made: the proxy of the caller, and that of the application. */
    const written = async (what: string) => {
      turn += 1;
      const path = `/${what}-${turn}`;
      assert.equal(await call(toOrders, path), 200);
      // What is never written can only be waited for: longer than a proxy keeps what it will write.
      await setTimeout(keptMs);
      const [client, server] = [await web.log(), await orders.log()];
      return [client.includes(path), server.includes(path)];
    };
    const settle = (what: string, path: string, ...wanted: boolean[]) =>
      until(what, async () => String(await written(path)) === String(wanted), 60_000);
    await settle('all to be written', 'any', true, true);
    await apply(telemetry('{ disabled: true }'));
    await settle('nothing to be written', 'any', false, false);
    await apply(telemetry('{ match: { mode: CLIENT }, disabled: true }'));
    await settle("the mTLS end's entries alone", 'any', false, true);
    await apply(telemetry('{ match: { mode: SERVER }, disabled: true }'));
    await settle("the caller's entries alone", 'any', true, false);
    await apply(telemetry(`{ filter: { expression: "request.path.startsWith('/odd') && response.code < 400" } }`));
    await settle('what the filter takes', 'odd', true, true);
    await settle('what it does not take', 'even', false, false);
    await apply(telemetry('{ filter: { expression: connection.mtls } }'));
    await settle('who has seen a certificate', 'any', false, true);
  });
}

test('Telemetry.accessLogging, with an Envoy of nobody: it is told itself what to write, and takes it', { timeout: 120_000 }, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const app = await startApp(t, 'orders');
  const [inbound, outbound] = [await deadPort(), await deadPort()];
  const at = endpoint('one', { address: '127.0.0.1', ports: { http: inbound } });
  const inputs = sceneInputs(pki, { services: [service('shop/orders', [at])] });
  const set = (...objects: TrafficObject[]) =>
    mesh.update({ ...inputs, traffic: createTrafficCompiler({ hostSuffix: inputs.hostSuffix }).update(objects, inputs.view) });
  set();
  const orders = { namespace: 'shop', name: 'orders', port: 80 };
  const served = { ...orders, protocol: 'http' as const, address: '127.0.0.1', target: app.port };
  const server = await mesh.envoy('orders', { claims: { inbound: { address: '127.0.0.1', port: inbound, services: [served] } } });
  const client = await mesh.envoy('web', { claims: { outbound: [{ ...orders, address: '127.0.0.1', listen: outbound }] } });
  await untilListening(server, ['inbound']);
  await untilListening(client, [`outbound|127.0.0.1|${outbound}`]);
  const loggers = async (envoy: typeof server) => {
    const dump = await (await fetch(`${envoy.adminUrl}/config_dump?resource=dynamic_listeners`)).text();
    const [, expression] = /"expression": (".*")/.exec(dump) ?? [];
    return [dump.includes('access_loggers.stdout'), expression === undefined ? undefined : JSON.parse(expression)];
  };
  const settle = (what: string, of: typeof server, ...wanted: readonly unknown[]) =>
    until(what, async () => JSON.stringify(await loggers(of)) === JSON.stringify(wanted));
  await settle('a log of everything', client, true, undefined);
  const expression = 'response.code >= 500 || connection.mtls';
  set(
    telemetryObject('shop/logs', [
      { side: 'server', disabled: false, filter: expression },
      { side: 'client', disabled: true },
    ]),
  );
  await settle('no log of the caller', client, false, undefined);
  await settle('a filter at the mTLS end', server, true, expression);
  await until('a call', async () => (await fetch(`http://127.0.0.1:${outbound}/asked`)).status === 200);
  await until('the entry of the mTLS end', async () => (await readFile(server.logFile, 'utf8')).includes('/asked'));
  assert.ok(!(await readFile(client.logFile, 'utf8')).includes('/asked'));
  for (const envoy of [server, client]) assert.equal(await refusedUpdates(envoy), 0);
});
