import assert from 'node:assert/strict';
import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../support/until.ts';
import { createNetwork, endInReverse, type Host, inNamespace } from './servers/index.ts';
import type { Asked } from './site-loss/caller.ts';

const run = promisify(execFile);
const app = 'require("http").createServer((q, s) => s.end(process.argv[1])).listen(8080, "0.0.0.0")';

type Program = ChildProcessByStdio<Writable, Readable, null>;

function start(host: Host, args: readonly string[]): { readonly child: Program; readonly end: () => Promise<void> } {
  const [command, line] = inNamespace(host.netns, process.execPath, [...args]);
  const child = spawn(command, line, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  return {
    child,
    end: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** What is printed until the end. */
function output(child: Program): () => string {
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

/** The host's link goes down, and all of its connections hear nothing any more. */
async function unplug({ netns }: Host): Promise<number> {
  await run('ip', ['-n', netns, 'link', 'set', 'eth0', 'down']);
  return Date.now();
}

async function plugIn({ netns, address }: Host): Promise<number> {
  await run('ip', ['-n', netns, 'link', 'set', 'eth0', 'up']);
  // It went with the link.
  await run('ip', ['-n', netns, 'route', 'replace', 'default', 'via', address.replace(/\d+$/, '1')]);
  return Date.now();
}

/** Until it has answered three probes, and ten seconds for its share to grow. */
const returnMs = 20_000;

const shareOf = (asked: readonly Asked[], site: string, from: number, to: number) => {
  const within = asked.filter(({ at }) => at >= from && at < to);
  return within.filter(({ body }) => body === site).length / within.length;
};

test('a site vanishes without a word under 500 GET/s: no GET of later than a second fails, and it comes back without flapping', async (t) => {
  const ending = endInReverse(t);
  const network = await createNetwork({ sites: { west: ['caller'], east: ['app'], south: ['app'] }, ports: [8080] });
  ending(() => network.remove());
  const sites = ['east', 'south'] as const;
  for (const site of sites) ending(start(network.host(site, 'app'), ['-e', app, site]).end);
  const caller = network.host('west', 'caller');
  const targets = sites.map((site) => ({ address: network.host(site, 'app').address, port: 8080, locality: site }));
  for (const { address } of targets) await until('an app', async () => (await caller.reach.dial(address, 8080, 1_000)) === 'open');
  const program = fileURLToPath(new URL('./site-loss/caller.js', import.meta.url));
  const { child, end } = start(caller, [program, JSON.stringify(targets), '500']);
  ending(end);
  const said = output(child);
  await until('the first request', () => said().includes('asking'));
  await delay(5_000);
  const lostAt = await unplug(network.host('east', 'app'));
  await delay(30_000);
  const backAt = await plugIn(network.host('east', 'app'));
  await delay(returnMs);
  child.stdin.end();
  await once(child, 'exit');
  const asked = JSON.parse(said().slice(said().indexOf('['))) as readonly Asked[];
  const within = asked.filter(({ at }) => at >= lostAt - 1_000 && at < lostAt + 30_000);
  const failed = within.filter(({ status }) => status !== 200);
  const slowest = (from: number, to: number) => Math.max(...asked.filter(({ at }) => at >= from && at < to).map(({ tookMs }) => tookMs));
  t.diagnostic(
    `${failed.length} of ${within.length} GETs failed in 30 s; the slowest of the first second took ${slowest(lostAt - 1_000, lostAt + 1_000)} ms`,
  );
  t.diagnostic(`the slowest sent later than a second after the loss took ${slowest(lostAt + 1_000, backAt)} ms`);
  const shares = Array.from({ length: returnMs / 1_000 }, (_, i) => shareOf(asked, 'east', backAt + i * 1_000, backAt + (i + 1) * 1_000));
  t.diagnostic(`share of the site after its return, by second: ${shares.map((each) => each.toFixed(2)).join(' ')}`);

  const warm = shareOf(asked, 'east', lostAt - 3_000, lostAt - 500);
  assert.ok(Math.abs(warm - 0.5) < 0.1, `warm, half of the GETs went to each site: ${warm}`);
  assert.deepEqual(
    failed.filter(({ at }) => at >= lostAt + 1_000),
    [],
    'from a second after the loss none fails',
  );
  assert.ok(failed.length < 0.005 * within.length, JSON.stringify(failed.slice(0, 3)));
  assert.equal(shareOf(asked, 'east', lostAt + 1_000, backAt), 0);
  const took = shares.join(' ');
  const first = shares.findIndex((share) => share > 0);
  assert.ok((shares[first + 1] ?? 1) < 0.25, `it begins with little: ${took}`);
  for (let i = first + 1; i < shares.length; i++)
    assert.ok((shares[i] ?? 0) > (shares[i - 1] ?? 0) - 0.05, `and never loses it again: ${took}`);
  for (const share of shares.slice(-3)) assert.ok(Math.abs(share - 0.5) < 0.05, `until it has its half: ${took}`);
});
