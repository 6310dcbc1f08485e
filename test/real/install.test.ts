import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../support/until.ts';
import { createNetwork, startEtcd } from './servers/index.ts';

const SERVERS = new URL('./servers/index.js', import.meta.url).href;

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-install-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function script(program: string, env: Record<string, string>): ChildProcess {
  const source = `const servers = await import(${JSON.stringify(SERVERS)});\n${program}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { env: { ...process.env, ...env } });
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  return child;
}

async function finished(child: ChildProcess, heard: (output: string) => void = () => {}): Promise<{ code: number; output: string }> {
  let output = '';
  const collect = (text: string): void => {
    output += text;
    heard(output);
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

const waits = 'another process is building';
const INSTALL = 'const done = await servers.install("etcd"); console.log(done.binary("etcd"));';

test('a machine without Go is told so, and keeps no half-made server', async (t) => {
  const cache = await scratch(t);
  const { code, output } = await finished(script(INSTALL, { PATH: '/nonexistent', XDG_CACHE_HOME: cache }));
  assert.notEqual(code, 0);
  assert.match(output, /etcd .* could not be built: go is not on PATH: .* Go 1\.26/);
  assert.deepEqual(await readdir(join(cache, 'isthmus-servers')), []);
});

test('a build that fails shows the end of its log', async (t) => {
  const cache = await scratch(t);
  const offline = { GOPROXY: 'off', GOMODCACHE: join(cache, 'modules'), XDG_CACHE_HOME: cache };
  const { code, output } = await finished(script(INSTALL, offline));
  assert.notEqual(code, 0);
  assert.match(output, /etcd .* could not be built: go get .*ended with 1; the end of its log:/);
  assert.match(output, /GOPROXY=off/);
});

test('processes that ask at the same time share one build', async (t) => {
  const cache = await scratch(t);
  const bin = join(cache, 'bin');
  await mkdir(bin);
  // Plays Go: notes each call, and builds for as long as the test has the others wait.
  const fake = `#!/bin/sh
echo "$1" >> "$GO_CALLS"
[ "$1" = build ] || exit 0
while [ -e "$GO_BUSY" ]; do sleep 0.05; done
while [ "$1" != -o ]; do shift; done
echo built > "$2"
`;
  await writeFile(join(bin, 'go'), fake);
  await chmod(join(bin, 'go'), 0o755);
  const calls = join(cache, 'calls');
  const busy = join(cache, 'busy');
  await writeFile(busy, '');
  const env = { PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`, GO_CALLS: calls, GO_BUSY: busy, XDG_CACHE_HOME: cache };
  const waiting = new Set<number>();
  const all = Promise.all([1, 2, 3].map((each) => finished(script(INSTALL, env), (output) => output.includes(waits) && waiting.add(each))));
  try {
    await until('two of them to wait', () => waiting.size === 2, 60_000);
  } finally {
    await rm(busy);
  }
  const results = await all;
  for (const { code, output } of results) {
    assert.equal(code, 0, output);
    assert.match(output, /isthmus-servers\/etcd-[0-9.]+\/bin\/etcd/);
  }
  assert.equal(await readFile(calls, 'utf8'), 'get\nbuild\n');
  assert.equal(results.filter(({ output }) => output.includes(waits)).length, 2);
});

test('what a killed test leaves behind ends with it, or is removed by the next', async (t) => {
  const child = script(
    `const network = await servers.createNetwork({ sites: { left: ["over"] } });
     const { netns, address } = network.host("left", "over");
     const etcd = await servers.startEtcd({ netns, address });
     console.log(JSON.stringify({ netns, pid: etcd.pid, folder: etcd.folder }));`,
    {},
  );
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout ?? child, 'data')) as [string];
  const left = JSON.parse(line) as { netns: string; pid: number; folder: string };
  const there = (folder: string, name: string): Promise<boolean> => readdir(folder).then((names) => names.includes(name));
  assert.ok(await there('/run/netns', left.netns));
  child.kill('SIGKILL');
  await until('the server ends with its test', async () => !(await there('/proc', String(left.pid))));

  const network = await createNetwork({ sites: { next: ['one'] } });
  t.after(() => network.remove());
  assert.ok(!(await there('/run/netns', left.netns)));
  const etcd = await startEtcd();
  t.after(() => etcd.stop());
  await assert.rejects(readdir(left.folder), /ENOENT/);
});
