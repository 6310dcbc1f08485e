import assert from 'node:assert/strict';
import { MeshError } from '../../../core/errors.ts';
import type { Breakage } from '../../fakes/breakable-server.ts';
import { until } from '../../support/until.ts';
import type { RegistryCase } from './harness.ts';

const all: readonly Breakage[] = ['errors', 'garbage', 'half-json', 'wrong-json', 'silence', 'refused', 'reset'];

export function outageCases(registryCase: RegistryCase): void {
  for (const how of all) {
    registryCase(`${how}: one stale, nothing is taken away, a snapshot on return`, async ({ harness, follow, name, skip }) => {
      if (!harness.breakages.includes(how)) return skip(`this server cannot be broken by ${how}`);
      const kept = name('kept');
      await harness.register(kept, 'one', 9301);
      const follower = follow();
      await follower.untilPorts(kept, 9301);
      await harness.break(how);
      const stale = await follower.untilKind('stale');
      const event = follower.events[stale];
      assert.ok(event?.kind === 'stale' && event.error instanceof MeshError && event.error.message.length > 20);
      assert.equal(event.error.retryable, true);
      assert.deepEqual(follower.ports(kept), [9301]);
      await harness.repair();
      const snapshot = await follower.untilKind('snapshot', stale);
      assert.deepEqual(follower.kinds().slice(stale, snapshot + 1), ['stale', 'snapshot'], 'one stale per outage, and nothing between');
      await harness.register(kept, 'two', 9302);
      await follower.untilPorts(kept, 9301, 9302);
      await harness.deregister(kept, 'one');
      await harness.deregister(kept, 'two');
    });
  }

  registryCase('a source that starts during an outage says stale, then the snapshot', async ({ harness, follow, name, skip }) => {
    const [how] = harness.breakages;
    if (how === undefined) return skip('this server cannot be broken');
    const late = name('late');
    await harness.register(late, 'one', 9401);
    await harness.break(how);
    const follower = follow();
    await follower.untilKind('stale');
    await harness.repair();
    await follower.untilPorts(late, 9401);
    assert.deepEqual(follower.kinds().slice(0, 2), ['stale', 'snapshot']);
    await harness.deregister(late, 'one');
  });

  registryCase('abort during an outage ends the iteration', async ({ harness, follow }) => {
    for (const how of harness.breakages.filter((b) => b === 'silence' || b === 'refused')) {
      const follower = follow();
      await follower.untilKind('snapshot');
      await harness.break(how);
      await follower.untilKind('stale');
      await follower.stop();
      await harness.repair();
    }
  });

  registryCase('a registry that lost its data gives a new snapshot, not old endpoints', async ({ harness, follow, name, skip }) => {
    if (harness.reset === undefined) return skip('this server keeps its data');
    const [gone, back] = [name('gone'), name('back')];
    await harness.register(gone, 'one', 9501);
    await harness.register(back, 'one', 9502);
    const follower = follow();
    await follower.untilPorts(gone, 9501);
    await follower.untilPorts(back, 9502);
    const before = follower.events.length;
    await harness.reset();
    await harness.register(back, 'one', 9503);
    await follower.untilKind('snapshot', before);
    await follower.untilPorts(back, 9503);
    await until('what was lost is gone', () => (follower.ports(gone, true) ?? []).length === 0);
    await harness.deregister(back, 'one');
  });
}
