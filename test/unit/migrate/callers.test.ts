import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxiesOf, type XdsClients } from '../../../control/assemble/migration-proxies.ts';
import type { MigrationState, SideCounts } from '../../../control/migrate/contract.ts';
import { ReplicaSights, type Sight } from '../../../control/migrate/replicas/index.ts';
import { Reporters, ReportPace, TrafficMeters } from '../../../control/telemetry/traffic/index.ts';
import { silentLog } from '../../../core/log.ts';
import { serviceKey } from '../../../core/model/index.ts';
import { noCounts, noGroup } from '../../../core/telemetry/index.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const orders = serviceKey('shop', 'orders');
const host = 'orders.shop.mesh.internal';

/** One replica, and what reaches it. */
class Replica {
  readonly clock = new ManualClock();
  readonly meters = new TrafficMeters(this.clock);
  readonly pace = new ReportPace();
  readonly #reporters = new Reporters(this.clock);
  #sequence = 0;
  xds: XdsClients = { connected: new Set(), behind: [] };

  /** A report of `id`, with so many requests. */
  report(id: string, requests = 1): void {
    this.#reporters.heard(id, { epoch: 'e', sequence: ++this.#sequence, dropped: 0, refused: 0 });
    const destination = { namespace: 'shop', name: 'orders', host, port: 80, subset: '' };
    const key = { reporter: 'source', source: { principal: id, cluster: 'east' }, route: '', destination, group: noGroup } as const;
    this.meters.count({ id, key, cluster: `outbound|80||${host}`, counts: { ...noCounts(), requests }, countsOpened: true });
  }

  look(recorded: readonly string[] = []): Partial<Sight['proxies']> {
    const { meters, pace } = this;
    const status = () => this.#reporters.status();
    const { heard, silent, connected = [] } = proxiesOf(orders, recorded, { meters, pace, status }, this.xds);
    return { heard, silent, connected };
  }
}

const nobody = { heard: [], silent: [], connected: [] };

test('a caller is heard while its reports come, then silent, and after a minute it has ended, where it is not connected', async () => {
  const replica = new Replica();
  replica.report('a');
  replica.report('b');
  assert.deepEqual(replica.look(), { ...nobody, heard: ['a', 'b'] });
  replica.xds = { connected: new Set(['b']), behind: [] };
  await replica.clock.advance(59_000);
  assert.deepEqual(replica.look(), { ...nobody, silent: ['a', 'b'] });
  await replica.clock.advance(1_000);
  assert.deepEqual(replica.look(), { ...nobody, silent: ['b'] });
});

test('whom the leader knows is heard where its reports come, though it calls nobody now', () => {
  const replica = new Replica();
  replica.report('a', 0);
  assert.deepEqual(replica.look(), nobody);
  assert.deepEqual(replica.look(['a', 'x']), { ...nobody, heard: ['a'] });
});

test('of those whom the leader knows, a replica says who is connected to it', () => {
  const replica = new Replica();
  replica.xds = { connected: new Set(['a', 'other']), behind: [] };
  assert.deepEqual(replica.look(['a', 'x']), { ...nobody, connected: ['a'] });
});

/** A leader that has no other replicas, and what its own clients do. */
function leader(recorded: readonly string[]) {
  const clock = new ManualClock();
  const now = { recorded, heard: [] as readonly string[], connected: [] as readonly string[] };
  const none: SideCounts = { requests: 0, errors: 0, connections: 0, connectionErrors: 0, latency: new Map(), latencySumMs: 0 };
  const sights = new ReplicaSights({
    clock,
    log: silentLog,
    states: () => [],
    meter: () => ({ read: () => ({ from: none, to: none, callers: [] }), close: () => undefined }),
    proxies: () => ({ callers: now.heard.length, heard: now.heard, silent: [], connected: now.connected, behind: [] }),
    recorded: () => now.recorded,
  });
  const state = { namespace: 'shop', name: 'orders', run: 1, spec: { intervalMs: 15_000 } } as unknown as MigrationState;
  const look = () => {
    const { missing, known } = sights.proxies(state);
    now.recorded = known;
    return missing;
  };
  return { clock, now, look };
}

test('whom the leader before knew is missing until it has a stream again, or a minute has gone', async () => {
  const { clock, now, look } = leader(['a', 'b', 'c']);
  now.connected = ['c'];
  assert.deepEqual(look(), ['a', 'b']);
  await clock.advance(30_000);
  now.connected = ['b', 'c'];
  assert.deepEqual(look(), ['a']);
  await clock.advance(29_999);
  assert.deepEqual(look(), ['a']);
  await clock.advance(1);
  assert.deepEqual(look(), [], 'it has ended');
  assert.deepEqual(now.recorded, ['b', 'c']);
  now.connected = ['c'];
  await clock.advance(50_000);
  assert.deepEqual(look(), ['b'], 'a stream that ends under a leader is missed as well');
});

test('one that goes on reporting is missing for as long as it has no stream', async () => {
  const { clock, now, look } = leader(['a']);
  now.heard = ['a'];
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(look(), ['a']);
    await clock.advance(15_000);
  }
  now.heard = [];
  assert.deepEqual(look(), []);
});

test('a leader that has not looked for long waits as a new one does', async () => {
  const { clock, now, look } = leader(['a']);
  now.connected = ['a'];
  assert.deepEqual(look(), []);
  await clock.advance(600_000);
  now.connected = [];
  assert.deepEqual(look(), ['a']);
});
