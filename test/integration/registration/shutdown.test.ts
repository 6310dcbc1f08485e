import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runControl } from '../../../control/main.ts';
import { silentLog } from '../../../core/log.ts';
import { parseGatewayOptions, startGateway } from '../../../gateway/main.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';

/** Far beyond this test's own time. */
const drainMs = 600_000;

test('a control plane that is told to stop waits for no stream of its gateways', async (t) => {
  const folder = await temporaryDir(t);
  const cli = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await runCli(args, { ISTHMUS_CONTEXT_FILE: join(folder, 'context.yaml') });
    assert.equal(code, 0, err);
    return out;
  };
  const [grpc, api] = [await deadPort(), await deadPort()];
  const spec = `cluster: east, trustDomain: stop.test, stateDir: ${folder}/state, identity: {rootDir: ${folder}/root}`;
  const ports = `grpc: {listen: '127.0.0.1:${grpc}', advertise: ['127.0.0.1:${grpc}']}, api: {listen: '127.0.0.1:${api}'}, health: {listen: '127.0.0.1:0'}`;
  const file = join(folder, 'isthmus.yaml');
  await writeFile(file, `apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {${spec}, ${ports}}\n`);
  await cli('ca', 'init', '--dir', `${folder}/root`, '--trust-domain', 'stop.test');
  await cli('control', 'init', '-c', file);
  const stop = new AbortController();
  let ready = false;
  const onReady = () => {
    ready = true;
  };
  const control = runControl({ config: [file], drainMs, log: silentLog, onReady }, stop.signal);
  onEnd(t, () => stop.abort());
  await until('the control plane', () => ready);

  const any = { address: '127.0.0.1', port: 0 };
  const token = (await cli('gateway', 'token')).trim();
  const options = parseGatewayOptions({
    stateDir: `${folder}/gateway`,
    token,
    instance: 'gateway-1',
    network: 'east',
    advertise: ['127.0.0.1'],
    listen: any,
    health: any,
    metrics: any,
    drainMs: 1_000,
  });
  assert.ok(options.ok, JSON.stringify(options));
  const end = new AbortController();
  const gateway = await startGateway(options.value, { log: silentLog, accessLog: () => undefined }, end.signal);
  onEnd(t, async () => {
    end.abort();
    await gateway.ended;
  });
  await until('the gateway is registered', () => gateway.status().registration?.state === 'registered');

  stop.abort();
  await control;
});
