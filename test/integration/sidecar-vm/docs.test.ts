import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startEchoApp } from '../../../cli/demo/echo-app.ts';
import { caInit } from '../../../control/ca/index.ts';
import { initControl } from '../../../control/index.ts';
import { runControl } from '../../../control/main.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { readBlocks } from '../../support/docs-blocks.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const main = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));

test('docs/join-a-vm.md: every command, in order, against a control plane of its own', async (t) => {
  const folder = await temporaryDir(t);
  const api = await startControl(folder, t.signal, (end) => onEnd(t, end));
  const app = await startEchoApp('orders');
  onEnd(t, () => app.close());
  const local = await deadPort();
  let admin = 0;
  // The page is for a machine of its own; here its addresses, ports and folders are the test's.
  const here = (command: string) =>
    command
      .replaceAll('10.0.0.7', '127.0.0.1')
      .replaceAll('18080', String(local))
      .replace(
        /vm join - /,
        `$&--state-dir ${folder}/vm --inbound 127.0.0.1:0 --dns 127.0.0.1:0 --admin 127.0.0.1:0 --app-port ${app.port} --no-loopback --instance vm-1 `,
      )
      .replace(/vm status/, `$& --admin 127.0.0.1:${admin}`)
      .replace(/vm leave/, `$& --state-dir ${folder}/vm`);
  const path = await tools(folder);
  const started: ChildProcess[] = [];
  onEnd(t, () => {
    for (const child of started) child.kill('SIGKILL');
  });
  const begin = (command: string) => {
    const env = { PATH: path, HOME: folder, XDG_CONFIG_HOME: folder, ...api };
    const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', `exec ${here(command).trim()}`], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    return { child, said: () => said, code: once(child, 'close').then(([code]) => code as number | null) };
  };
  const run = async (command = ''): Promise<string> => {
    const { said, code } = begin(command);
    assert.equal(await code, 0, `${command}: ${said()}`);
    return said();
  };
  const [token, join1, status, list, join2, curl, leave, ...more] = await readBlocks('docs/join-a-vm.md', 'sh');
  assert.deepEqual(more, [], 'a command of the page is not run here');
  await run(token);
  const first = begin(join1 ?? '');
  admin = await until('the ports', () => {
    if (first.child.exitCode !== null) throw new Error(first.said());
    const line = first
      .said()
      .split('\n')
      .find((each) => each.startsWith('{"ready":true'));
    return (JSON.parse(line ?? '') as { ports: { admin: number } }).ports.admin;
  });
  const verdict = await until('a ready and healthy machine', async () => {
    if (first.child.exitCode !== null) throw new Error(first.said());
    const text = await run(status);
    return /healthy +yes/.test(text) && /registered +yes/.test(text) ? text : undefined;
  });
  for (const stage of ['attested', 'registered', 'synced', 'healthy']) assert.match(verdict, new RegExp(`^${stage} +yes`, 'm'));
  assert.match(await run(list), /^vm-1 +workload +shop\/orders/m);
  first.child.kill('SIGTERM');
  assert.equal(await first.code, 0, first.said());
  const second = begin(join2 ?? '');
  const reply = await until('an answer through the mesh', async () => {
    const said = await run(curl);
    // Until the new start is registered, the agent may still know the port of the one before, and answers 503 itself.
    if (!said.includes('"principal"')) throw new Error(said);
    return said;
  });
  assert.match(reply, /"principal":"spiffe:\/\/docs.test\/ns\/shop\/sa\/orders"/);
  assert.match(await run(leave), /has left the mesh/);
  assert.equal(await second.code, 0, second.said());
  assert.doesNotMatch(await run(list), /vm-1/);
});

/** `isthmus` and `curl` on a PATH of the test's own. */
async function tools(folder: string): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const scripts = {
    isthmus: `exec "${process.execPath}" "${main}" "$@"`,
    curl: `exec "${process.execPath}" -e 'fetch(process.argv.at(-1)).then((r) => r.text()).then(console.log)' -- "$@"`,
  };
  for (const [name, line] of Object.entries(scripts)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${line}\n`);
    await chmod(join(bin, name), 0o755);
  }
  return `${bin}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
}

/** A whole control plane; resolves with the environment in which commands find it. */
async function startControl(
  folder: string,
  signal: AbortSignal,
  onEnd: (end: () => Promise<void>) => void,
): Promise<Record<string, string>> {
  const file = join(folder, 'isthmus.yaml');
  const grpc = await deadPort();
  const spec = [
    `cluster: east`,
    `trustDomain: docs.test`,
    `stateDir: ${folder}/state`,
    `grpc: {listen: '127.0.0.1:${grpc}'}`,
    `api: {listen: '127.0.0.1:0'}`,
    `health: {listen: '127.0.0.1:0'}`,
    `identity: {rootDir: ${folder}/root}`,
  ];
  await writeFile(
    file,
    `apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec:\n${spec.map((line) => `  ${line}\n`).join('')}`,
  );
  await caInit(join(folder, 'root'), 'docs.test', systemClock.now());
  const made = await initControl({ config: [file], replace: false, clock: systemClock });
  assert.ok(made.ok, JSON.stringify(made));
  const stop = new AbortController();
  let port: number | undefined;
  const onReady = (ports: { api: number }) => {
    port = ports.api;
  };
  const running = runControl({ config: [file], drainMs: 1_000, log: silentLog, onReady }, stop.signal);
  onEnd(async () => {
    stop.abort();
    await running;
  });
  running.catch(() => undefined);
  const api = await until('the control plane', () => (signal.aborted ? 0 : port));
  const credential = join(folder, 'credential');
  await writeFile(credential, made.value.credential, { mode: 0o600 });
  return { ISTHMUS_API: `127.0.0.1:${api}`, ISTHMUS_CA_FILE: made.value.apiTrustFile, ISTHMUS_CREDENTIAL_FILE: credential };
}
