import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import { type RunningLoad, startLoad } from './load-process.ts';
import { figures, type Moments, only } from './report.ts';
import { type Load, type LoadLine, type Sample, sentIn, shareOf, slices } from './samples.ts';
import type { Sites } from './sites.ts';

export interface LossPlan {
  /** Of each caller, per second. */
  readonly gets: number;
  readonly posts: number;
  /** On warm connections, before the loss. */
  readonly warmMs: number;
  readonly lossMs: number;
}

export interface Outcome extends Moments {
  /** The caller's proxy. */
  readonly proxy: string;
  readonly load: Load;
}

/** Seconds in a row with a half for each site. */
const steadySeconds = 8;

/** A half of the answers of each of the last seconds came from the site. */
function isHalved({ seconds }: RunningLoad): boolean {
  const share = ({ answers: { east = 0, south = 0 } }: LoadLine) => east / (east + south);
  const last = seconds.slice(-steadySeconds);
  return last.length === steadySeconds && last.every((line) => Math.abs(share(line) - 0.5) < 0.1);
}

/** East vanishes under the load of all callers, and comes back; ends when each site has its half again. */
export async function loseEast(
  t: TestContext,
  { callers, url, network, control }: Sites,
  { gets, posts, warmMs, lossMs }: LossPlan,
): Promise<readonly Outcome[]> {
  for (const { host } of callers) await until('an answer', async () => (await host.reach.request({ url })).status === 200, 60_000);
  const running = callers.map(({ host, proxy }) => ({ proxy, load: startLoad(host, url, { gets, posts }) }));
  for (const { load } of running) t.after(() => load.kill());
  const allHalved = () => running.every(({ load }) => isHalved(load));
  await until(
    'warm connections, and a half for each site',
    () => running.every(({ load }) => load.seconds.length > 12) && allHalved(),
    150_000,
  );
  const began = Date.now();
  await delay(warmMs);
  await network.unplug('east');
  const lost = Date.now();
  await delay(lossMs / 2);
  const { sources } = await control.west.status();
  assert.deepEqual(
    new Set(sources.filter(({ state }) => state !== 'live').map(({ cluster }) => cluster)),
    new Set(['east']),
    'what others told holds on',
  );
  await delay(Math.max(0, lost + lossMs - Date.now()));
  await network.plugIn('east');
  const plugged = Date.now();
  const back = await until('traffic to come back', allHalved, 90_000).catch((error: Error) => error);
  const ended = Date.now();
  const outcomes: Outcome[] = [];
  for (const { proxy, load } of running) outcomes.push({ proxy, load: await load.finish(), began, lost, plugged, ended });
  for (const outcome of outcomes) for (const line of figures(outcome.load, outcome)) t.diagnostic(`${outcome.proxy}: ${line}`);
  if (back instanceof Error) throw back;
  return outcomes;
}

/** What whoever calls a service at several sites may count on. POSTs are not judged: one that an application may have seen is not sent again. */
export function judge({ proxy, began, lost, plugged, ended, load }: Outcome): void {
  const all = only(load.samples, 'GET');
  const failedIn = (from: number, to: number): readonly Sample[] => sentIn(all, { from, to }).filter(({ ok }) => !ok);
  const before = sentIn(all, { from: began, to: lost - 1_000 });
  assert.ok(Math.abs(shareOf(before, 'east') - 0.5) < 0.1, `${proxy}: warm, ${shareOf(before, 'east')} went to the site`);
  assert.deepEqual(failedIn(lost + 1_000, plugged).slice(0, 3), [], `${proxy}: from a second after the loss none fails`);
  const failed = failedIn(lost, plugged);
  const window = sentIn(all, { from: lost, to: plugged });
  const examples = JSON.stringify(failed.slice(0, 3));
  assert.ok(failed.length < 0.005 * window.length, `${proxy}: ${failed.length} of ${window.length} failed: ${examples}`);
  assert.deepEqual(failedIn(plugged, ended).slice(0, 3), [], `${proxy}: none fails as it returns`);
  // Whole seconds alone: a few requests of the last, unfinished one are no share.
  const to = plugged + Math.floor((ended - plugged) / 1_000) * 1_000;
  const shares = slices(all, { from: plugged, to }, 1_000).map((slice) => shareOf(slice, 'east'));
  const first = shares.findIndex((share) => share > 0);
  for (let i = first + 1; i < shares.length; i++) {
    assert.ok((shares[i] ?? 0) > (shares[i - 1] ?? 0) - 0.15, `${proxy}: what has returned stays: ${shares.join(' ')}`);
    assert.ok((shares[i] ?? 1) < 0.65, `${proxy}: and gets no more than its half: ${shares.join(' ')}`);
  }
}
