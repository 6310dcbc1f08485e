import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Meter, MigrationState, SideCounts } from '../../../control/migrate/contract.ts';
import { ReplicaSights, SightBoard } from '../../../control/migrate/replicas/index.ts';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const counts = (requests: number, errors = 0): SideCounts => ({
  requests,
  errors,
  connections: 0,
  connectionErrors: 0,
  latency: new Map([[40, requests]]),
  latencySumMs: 0,
});

/** What one replica's clients report. */
class Clients {
  to = counts(0);
  open = 0;
  silent: readonly string[] = [];
  heard: readonly string[] = [];
  /** Whose xDS stream is here. */
  connected: readonly string[] = [];

  meter(): Meter {
    this.open += 1;
    return {
      read: () => ({ from: counts(0), to: this.to, callers: [] }),
      close: () => {
        this.open -= 1;
      },
    };
  }
}

test('the leader measures what clients of all replicas do, from when it began, and whom none of them hears', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-sights-'));
  const store = await openEmbeddedStore({ dir, clock: systemClock });
  onEnd(t, () => rm(dir, { recursive: true }));
  onEnd(t, () => store.close());
  let phase: MigrationState['phase'] = 'stepping';
  let recorded: readonly string[] = [];
  const state = (): MigrationState =>
    ({ namespace: 'shop', name: 'orders', run: 1, phase, spec: { intervalMs: 40 } }) as unknown as MigrationState;
  const replica = (name: string, to: SideCounts) => {
    const clients = new Clients();
    clients.to = to;
    const stop = new AbortController();
    const sights = new ReplicaSights({
      board: new SightBoard({ store, replica: name, ttlMs: 1_000 }),
      clock: systemClock,
      log: silentLog,
      states: () => [state()],
      meter: () => clients.meter(),
      proxies: () => {
        const { heard, silent, connected } = clients;
        return { callers: 1, heard, silent, connected, behind: [] };
      },
      recorded: () => recorded,
    });
    const done = sights.run(stop.signal);
    const end = async () => {
      stop.abort();
      await done;
    };
    onEnd(t, end);
    return { clients, sights, end };
  };
  const [one, two] = [replica('one', counts(0)), replica('two', counts(100, 100))];
  await until('each to see the other', () => one.sights.proxies(state()).callers === 2);
  const meter = one.sights.meter(state());
  assert.equal(meter.read().to.requests, 0, 'what another had counted before');
  one.clients.to = counts(5);
  two.clients.to = counts(107, 103);
  await until('failures that only the other replica saw', () => meter.read().to.errors === 3);
  assert.equal(meter.read().to.requests, 5 + 7);

  one.clients.silent = ['web'];
  two.clients.heard = ['web'];
  await until('a caller that went over to the other', () => one.sights.proxies(state()).silent.length === 0);
  recorded = ['web'];
  await until('it to be missed', () => one.sights.proxies(state()).missing.includes('web'));
  two.clients.connected = ['web'];
  await until('its stream at the other', () => one.sights.proxies(state()).missing.length === 0);
  assert.deepEqual(one.sights.proxies(state()).known, ['web']);
  await two.end();
  assert.equal(two.clients.open, 0);
  await until('nobody to hear it', () => one.sights.proxies(state()).silent.includes('web'));
  assert.deepEqual(one.sights.proxies(state()).missing, ['web'], 'it went with its replica, and may be back');
  assert.equal(meter.read().to.errors, 3, 'what was seen stays seen');
  phase = 'done';
  await until('its meter to be closed', () => one.clients.open === 0);
});
