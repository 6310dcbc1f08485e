import { test } from 'node:test';
import { endInReverse } from '../real/servers/index.ts';
import { judge, loseEast } from '../real/site-loss/lose-site.ts';
import { startSites } from '../real/site-loss/sites.ts';

/** What a small and busy machine carries without being late; the full rate is in site-loss-mesh.test.ts. */
const plan = { gets: 60, posts: 4, warmMs: 3_000, lossMs: 30_000 };

test('a whole site vanishes and comes back, under the load of one caller with our proxy and of one with Envoy', {
  timeout: 240_000,
}, async (t) => {
  const sites = await startSites(endInReverse(t), ['isthmus', 'envoy']);
  // Both come back to their halves, or this throws; what Envoy loses meanwhile is told here, and judged in site-loss-mesh.test.ts.
  const outcomes = await loseEast(t, sites, plan);
  for (const outcome of outcomes) if (outcome.proxy === 'isthmus') judge(outcome);
});
