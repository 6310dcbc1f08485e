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
    const { heard, silent, unconnected, connected = [] } = proxiesOf(orders, recorded, { meters, pace, status }, this.xds);
    return { heard, silent, unconnected, connected };
  }
}

const nobody = { heard: [], silent: [], unconnected: [], connected: [] };

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

test('one that called in the last minute and reports, without a stream here, is said to be unconnected here', async () => {
  const replica = new Replica();
  replica.report('a');
  assert.deepEqual(replica.look(['a']).unconnected, ['a']);
  assert.deepEqual(replica.look([]).unconnected, [], 'nobody else says yet whether it is connected there');
  replica.xds = { connected: new Set(['a', 'other']), behind: [] };
  assert.deepEqual(replica.look(['a', 'x']), { ...nobody, heard: ['a'], connected: ['a'] });
  replica.xds = { connected: new Set(), behind: [] };
  await replica.clock.advance(61_000);
  replica.report('a', 0);
  assert.deepEqual(replica.look(['a']).unconnected, []);
});

test('whom the leader before knew has not acknowledged the weight until it is heard of, or a minute has gone', async () => {
  const clock = new ManualClock();
  let heard: readonly string[] = [];
  const none: SideCounts = { requests: 0, errors: 0, connections: 0, connectionErrors: 0, latency: new Map(), latencySumMs: 0 };
  const sights = new ReplicaSights({
    clock,
    log: silentLog,
    states: () => [],
    meter: () => ({ read: () => ({ from: none, to: none, callers: [] }), close: () => undefined }),
    proxies: () => ({ callers: heard.length, heard, silent: [], unconnected: [], connected: heard, behind: [] }),
  });
  const state = { namespace: 'shop', name: 'orders', run: 1 } as unknown as MigrationState;
  const look = () => {
    const { behind, known } = sights.proxies(state);
    return { behind, known };
  };
  assert.deepEqual(look(), { behind: [], known: [] });
  sights.expect(state, ['a', 'b']);
  assert.deepEqual(look(), { behind: ['a', 'b'], known: ['a', 'b'] });
  heard = ['b'];
  assert.deepEqual(look(), { behind: ['a'], known: ['a', 'b'] });
  heard = [];
  assert.deepEqual(look(), { behind: ['a'], known: ['a'] }, 'from then on it is silent or not, as any other');
  await clock.advance(59_999);
  assert.deepEqual(look().behind, ['a']);
  await clock.advance(1);
  assert.deepEqual(look(), { behind: [], known: [] });
});
