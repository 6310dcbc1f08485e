import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from '../../support/repository-root.ts';
import { until } from '../../support/until.ts';
import { begun, keepCalling } from './gateway-process.ts';

for (const [name, flags] of [
  ['node', ['--engine', 'node']],
  ['native', ['--engine', 'native', '--engine-threads', '2']],
] as const) {
  test(`${name}: a new process that dies, or fails, before it serves leaves the one that serves as it was`, async (t) => {
    const { site, first } = await begun(t, ...flags);
    const { msg, engine } = JSON.parse(first.log[0] ?? '') as { msg: string; engine: { name: string } };
    assert.deepEqual([msg, engine.name], ['starting', name]);
    const load = keepCalling(() => site.exchange(randomBytes(10_000)));
    const taking = pathToFileURL(join(repositoryRoot, 'build/gateway/hand-over/take-over.js')).href;
    const clock = pathToFileURL(join(repositoryRoot, 'build/core/system-clock.js')).href;
    const text = `const { takeOver } = await import(${JSON.stringify(taking)}); const { systemClock: clock } = await import(${JSON.stringify(clock)});
      globalThis.taken = await takeOver({ path: ${JSON.stringify(site.socket)}, kind: 'gateway', instance: 'gw-1', clock, signal: new AbortController().signal });
      console.log('taken'); setInterval(() => {}, 1000);`;
    const killed = spawn(process.execPath, ['--input-type=module', '-e', text], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(killed.stdout, 'data');
    const refused = site.spawn(...flags);
    assert.notEqual(await refused.exit, 0, 'one at a time');
    assert.match(refused.log.join('\n'), /another process is taking over already/);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    await until('its end was noticed', () => first.log.some((line) => line.includes('the other process ended')));
    // It has all the sockets, and fails for a port of its own.
    const { port: busy } = await site.sockets.serve(() => {});
    const failing = site.spawn(...flags, '--metrics', `127.0.0.1:${busy}`);
    assert.notEqual(await failing.exit, 0);
    assert.match(failing.log.join('\n'), /PORT_TAKEN|cannot listen/);
    const stranger = site.spawn(...flags, '--instance', 'gw-2');
    assert.notEqual(await stranger.exit, 0);
    assert.match(stranger.log.join('\n'), /this is gateway gw-1/);
    const before = load.calls();
    await until('more calls', () => load.calls() > before + 20);
    const next = await site.gateway(...flags);
    assert.equal(await first.exit, 0);
    await until('more calls', () => load.calls() > before + 40);
    assert.deepEqual(await load.stop(), []);
    // One that is killed while it serves: its sockets go with it, and the next start opens its own.
    next.child.kill('SIGKILL');
    await next.exit;
    await site.gateway(...flags);
    await site.exchange(Buffer.from('again'));
  });
}
