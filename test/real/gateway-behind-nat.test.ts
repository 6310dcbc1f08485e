import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { call, meshDns, onVm } from './scenario/calls.ts';
import { type ControlHost, joinVm, startApp, startControl, startGateway } from './scenario/isthmus-process.ts';
import { createNetwork, endInReverse, type Host } from './servers/index.ts';

const trustDomain = 'natted-site.test';

const config = (cluster: string, { address }: Host, more: string) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: ${cluster}}
spec:
  cluster: ${cluster}
  trustDomain: ${trustDomain}
  stateDir: "{state}"
  grpc: {listen: "0.0.0.0:15012", advertise: ["${address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
${more}---
apiVersion: isthmus.dev/v1alpha1
kind: ExportPolicy
metadata: {name: everything, namespace: "*"}
spec: {services: ["*/*"], audience: ["*"]}
`;

async function gatewayStatus(
  host: Host,
): Promise<{ kept: readonly { state: string; peer: string }[]; held: readonly { state: string }[] }> {
  const { body } = await host.reach.request({ url: 'http://127.0.0.1:15021/v1/gateway' });
  return (JSON.parse(body) as { tunnels: { kept: []; held: [] } }).tunnels;
}

test('a site whose gateway nobody can dial is served through tunnels to its peer, and calls out as ever', {
  timeout: 280_000,
}, async (t) => {
  const ending = endInReverse(t);
  const network = await createNetwork({ sites: { east: ['control', 'gw1', 'gw2', 'vm'], west: ['control', 'gw1', 'vm'] } });
  ending(() => network.remove());
  await network.behindNat('west');
  const start = async (cluster: 'east' | 'west'): Promise<ControlHost> => {
    const host = network.host(cluster, 'control');
    const root = cluster === 'east';
    const control = await startControl(
      host,
      config(cluster, host, root ? '  identity: {rootDir: "{root}"}\n' : ''),
      root ? trustDomain : undefined,
    );
    ending(() => control.process.stop());
    return control;
  };
  const east = await start('east');
  const west = await start('west');
  await west.run('peer', 'join', await east.run('peer', 'invite'));
  const [gw1, gw2, westGateway] = [network.host('east', 'gw1'), network.host('east', 'gw2'), network.host('west', 'gw1')];
  const first = await startGateway(gw1, east);
  ending(() => first.process.stop());
  const second = await startGateway(gw2, east);
  ending(() => second.process.stop());
  const natted = await startGateway(westGateway, west, ['--behind-nat']);
  ending(() => natted.process.stop());
  const serve = async (host: Host, control: ControlHost, name: string) => {
    const app = await startApp(host, name, '127.0.0.1', 8080);
    ending(() => app.stop());
    const agent = await joinVm(host, control, { service: `shop/${name}`, port: 80, appPort: 8080 });
    ending(() => agent.stop());
  };
  const [eastVm, westVm] = [network.host('east', 'vm'), network.host('west', 'vm')];
  await serve(eastVm, east, 'orders');
  await serve(westVm, west, 'stock');

  assert.notEqual(await eastVm.reach.dial(westGateway.address, 15_443, 1_000), 'open', 'nobody can dial the gateway');
  await until('tunnels to both gateways of the peer', async () => {
    const { kept } = await gatewayStatus(westGateway);
    return kept.filter(({ state }) => state === 'open').length === 2;
  });
  const out = await until('out of the site, as any caller', () => call(westVm, onVm, meshDns('orders')), 60_000);
  assert.equal(out.app, 'orders');
  assert.match(out.principal, /\/sa\/stock$/);
  const into = await until('into the site, through the tunnels', () => call(eastVm, onVm, meshDns('stock')), 60_000);
  assert.equal(into.app, 'stock');
  assert.match(into.principal, /\/sa\/orders$/, 'mTLS is from end to end');

  await first.process.kill9();
  const again = await until('into the site without one of the gateways', () => call(eastVm, onVm, meshDns('stock')), 30_000);
  assert.equal(again.app, 'stock');
  await natted.process.kill9();
  await natted.process.restart();
  await until('the gateway behind the NAT is back', () => call(eastVm, onVm, meshDns('stock')), 30_000);
});
