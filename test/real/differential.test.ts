import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertGolden } from '../support/golden.ts';
import { disagreements, isListed, settled } from './differential/differences.ts';
import { envoyUpdates } from './differential/envoy-stats.ts';
import { knownDifferences } from './differential/known-differences.ts';
import { startMesh } from './differential/mesh.ts';
import { loopback } from './differential/place.ts';
import { type Outcomes, play } from './differential/play.ts';
import { endInReverse } from './servers/index.ts';

/** All that our own proxies are seen to do, as data. */
const golden = 'test/real/differential/outcomes.golden.json';

describe('one suite of traffic and policy, Envoy and our own proxies', { timeout: 420_000 }, () => {
  let own: Outcomes = {};

  test('docs/envoy-differences.md says what the list of known differences says', async () => {
    const page = await readFile(fileURLToPath(new URL('../../../docs/envoy-differences.md', import.meta.url)), 'utf8');
    const listed = knownDifferences.map(({ cases, reason }) => [`- ${reason}`, ...cases.map((each) => `  - \`${each}\``)].join('\n'));
    assert.equal(page.slice(page.indexOf('\n- ') + 1).trimEnd(), listed.join('\n'));
  });

  test('our own proxies do what they are known to do', async (t) => {
    own = await playWith(t, 'isthmus');
    await assertGolden(golden, own);
  });

  test('Envoy does the same on the same configuration, but for what is listed', async (t) => {
    const found = disagreements(own, await playWith(t, 'envoy'));
    const unlisted = found.filter(({ name }) => !isListed(name, knownDifferences));
    assert.deepEqual(unlisted, [], `${unlisted.length} cases differ and are not in known-differences.ts`);
    assert.deepEqual(settled(knownDifferences, found), [], 'these are listed as different, and are not');
  });
});

async function playWith(t: TestContext, kind: 'isthmus' | 'envoy'): Promise<Outcomes> {
  const place = loopback(endInReverse(t));
  const mesh = await startMesh(place, kind);
  const outcomes = await play(mesh);
  if (kind === 'envoy') {
    for (const proxy of mesh.proxies) {
      const { rejected, accepted } = await envoyUpdates(proxy);
      assert.ok(accepted > 0, `${proxy.name} has taken no update`);
      assert.deepEqual(
        Object.entries(rejected).filter(([, count]) => count > 0),
        [],
        `${proxy.name} refused what it was told`,
      );
    }
  }
  return outcomes;
}
