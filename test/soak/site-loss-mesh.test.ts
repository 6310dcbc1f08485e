import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { endInReverse } from '../real/servers/index.ts';
import { type RunningLoad, startLoad } from '../real/site-loss/load-process.ts';
import { drawLoss, figures, type Moments, only } from '../real/site-loss/report.ts';
import { type Load, type LoadLine, sentIn, shareOf, slices } from '../real/site-loss/samples.ts';
import { type Sites, startSites } from '../real/site-loss/sites.ts';
import { until } from '../support/until.ts';

const gets = 500;
const posts = 20;
const lossMs = 30_000;
const warmMs = 10_000;
/** Seconds in a row with a half for each site. */
const steadySeconds = 8;

/** A half of the answers of each of the last seconds came from the site. */
function isHalved({ seconds }: RunningLoad): boolean {
  const share = ({ answers: { east = 0, south = 0 } }: LoadLine) => east / (east + south);
  const last = seconds.slice(-steadySeconds);
  return last.length === steadySeconds && last.every((line) => Math.abs(share(line) - 0.5) < 0.1);
}

async function loseEast(t: TestContext, { caller, url, network, control }: Sites): Promise<Moments & { readonly load: Load }> {
  await until('a first answer', async () => (await caller.reach.request({ url })).status === 200, 60_000);
  const running = startLoad(caller, url, { gets, posts });
  t.after(() => running.kill());
  await until('warm connections, and a half for each site', () => running.seconds.length > 12 && isHalved(running), 60_000);
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
  const back = await until('traffic to come back', () => isHalved(running), 90_000).catch((error: Error) => error);
  const ended = Date.now();
  const load = await running.finish();
  const moments = { began, lost, plugged, ended };
  for (const line of figures(load, moments)) t.diagnostic(line);
  if (back instanceof Error) throw back;
  return { ...moments, load };
}

/** Written with `SITE_LOSS_PLOT=docs/images`. */
async function draw(name: string, outcome: Moments & { readonly load: Load }, title: string): Promise<void> {
  const folder = process.env['SITE_LOSS_PLOT'];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}/${name}.svg`, drawLoss(outcome.load, outcome, title));
}

test('a whole site vanishes under 500 GET/s of a third: none fails that is sent later than a second after, and traffic returns without flapping', {
  timeout: 400_000,
}, async (t) => {
  const outcome = await loseEast(t, await startSites(endInReverse(t), 'isthmus'));
  await draw('site-loss', outcome, 'A site vanishes under 500 GET/s over two sites');
  const { began, lost, plugged, ended, load } = outcome;
  const all = only(load.samples, 'GET');
  const within = (from: number, to: number) => sentIn(all, { from, to });
  const failedIn = (from: number, to: number) => within(from, to).filter(({ ok }) => !ok);

  const before = within(began, lost - 1_000);
  // Four standard deviations of a fair coin.
  assert.ok(Math.abs(shareOf(before, 'east') - 0.5) < 2 / Math.sqrt(before.length), `warm, ${shareOf(before, 'east')} went to each site`);
  assert.deepEqual(failedIn(lost + 1_000, plugged).slice(0, 3), [], 'from a second after the loss none fails');
  const window = within(lost, lost + lossMs);
  const failed = failedIn(lost, lost + lossMs);
  assert.ok(failed.length < 0.005 * window.length, `${failed.length} of ${window.length} failed: ${JSON.stringify(failed.slice(0, 3))}`);
  assert.deepEqual(failedIn(plugged, ended).slice(0, 3), [], 'none fails as it returns');
  // Whole seconds alone: a few requests of the last, unfinished one are no share.
  const to = plugged + Math.floor((ended - plugged) / 1_000) * 1_000;
  const shares = slices(all, { from: plugged, to }, 1_000).map((slice) => shareOf(slice, 'east'));
  const returned = shares.findIndex((share) => share > 0.4);
  assert.ok(
    shares.slice(0, Math.max(0, returned - 1)).every((share) => share === 0),
    `it stays away until it returns: ${shares.join(' ')}`,
  );
  for (const share of shares.slice(returned)) assert.ok(Math.abs(share - 0.5) < 0.15, `and stays then: ${shares.join(' ')}`);
});
