import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { repositoryRoot } from '../support/repository-root.ts';

const run = promisify(execFile);

const rules = `table inet t { chain out { type nat hook output priority -100; tcp dport 80 redirect to :15001; }; }`;

async function redirected(listenAt: string, ...destinations: string[]): Promise<unknown[]> {
  const program = join(repositoryRoot, 'build/test/real/os/redirected.js');
  const script = `ip link set lo up && ip route add default dev lo && ip -6 route add default dev lo && nft '${rules}' && exec "$@"`;
  const { stdout } = await run(
    'unshare',
    ['-n', 'bash', '--norc', '-c', script, 'bash', process.execPath, program, listenAt, ...destinations],
    {
      timeout: 60_000,
    },
  );
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

test('where a redirected connection was going, on listeners of either family', async () => {
  assert.deepEqual(await redirected('0.0.0.0', '198.18.0.7', '127.64.0.9'), [
    { address: '198.18.0.7', port: 80 },
    { address: '127.64.0.9', port: 80 },
  ]);
  assert.deepEqual(await redirected('::', '198.18.0.7', '2001:db8::7'), [
    { address: '198.18.0.7', port: 80 },
    { address: '2001:db8::7', port: 80 },
  ]);
});
