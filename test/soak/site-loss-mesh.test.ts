import { mkdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { endInReverse } from '../real/servers/index.ts';
import { judge, loseEast, type Outcome } from '../real/site-loss/lose-site.ts';
import { drawLoss } from '../real/site-loss/report.ts';
import { startSites } from '../real/site-loss/sites.ts';

/** GETs per second: what is promised, unless a smaller machine is told to carry less. */
const gets = Number(process.env['SITE_LOSS_RATE'] ?? 500);
/** Envoy opens a connection, with a handshake at each end, for each request that finds none free. */
const envoyGets = Math.min(gets, 100);
const planOf = (rate: number) => ({ gets: rate, posts: Math.ceil(rate / 25), warmMs: 10_000, lossMs: 30_000 });

/** Written with `SITE_LOSS_PLOT=docs/images`. */
async function draw(name: string, outcome: Outcome, title: string): Promise<void> {
  const folder = process.env['SITE_LOSS_PLOT'];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}/${name}.svg`, drawLoss(outcome.load, outcome, title));
}

for (const [proxy, name, by, rate] of [
  ['isthmus', 'site-loss', 'our proxy', gets],
  ['envoy', 'site-loss-envoy', 'Envoy', envoyGets],
] as const) {
  test(`a whole site vanishes under ${rate} GET/s of a third with ${by}: none fails that is sent later than a second after, and traffic returns without flapping`, {
    timeout: 400_000,
  }, async (t) => {
    for (const outcome of await loseEast(t, await startSites(endInReverse(t), [proxy]), planOf(rate))) {
      await draw(name, outcome, `A site vanishes under ${rate} GET/s over two sites; the caller's proxy: ${by}`);
      judge(outcome);
    }
  });
}
