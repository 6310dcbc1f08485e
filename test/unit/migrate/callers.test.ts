import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxiesOf, type XdsClients } from '../../../control/assemble/migration-proxies.ts';
import { Reporters, ReportPace, TrafficMeters } from '../../../control/telemetry/traffic/index.ts';
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
  xds: XdsClients = { connected: new Set(), holders: [], behind: [] };

  /** A report of `id`, with so many requests. */
  report(id: string, requests = 1): void {
    this.#reporters.heard(id, { epoch: 'e', sequence: ++this.#sequence, dropped: 0, refused: 0 });
    const destination = { namespace: 'shop', name: 'orders', host, port: 80, subset: '' };
    const key = { reporter: 'source', source: { principal: id, cluster: 'east' }, route: '', destination, group: noGroup } as const;
    this.meters.count({ id, key, cluster: `outbound|80||${host}`, counts: { ...noCounts(), requests }, countsOpened: true });
  }

  look() {
    const { meters, pace } = this;
    const { heard, calling, silent } = proxiesOf(orders, { meters, pace, status: () => this.#reporters.status() }, this.xds);
    return { heard, calling, silent };
  }
}

const nobody = { heard: [], calling: [], silent: [] };

test('whom the leader before knew as a caller is silent until it is heard of, or a minute has gone', async () => {
  const replica = new Replica();
  assert.deepEqual(replica.look(), nobody, 'a replica that just began knows nobody');
  replica.meters.expect(orders, ['a', 'b']);
  assert.deepEqual(replica.look(), { ...nobody, silent: ['a', 'b'] });
  await replica.clock.advance(20_000);
  replica.report('a');
  assert.deepEqual(replica.look(), { heard: ['a'], calling: ['a'], silent: ['b'] });
  await replica.clock.advance(39_000);
  replica.report('a');
  assert.deepEqual(replica.look().silent, ['b']);
  await replica.clock.advance(2_000);
  assert.deepEqual(replica.look(), { heard: ['a'], calling: ['a'], silent: [] }, 'it has ended');
});

test('that it is expected does not make a caller younger than it is, nor one that calls silent', async () => {
  const replica = new Replica();
  replica.report('a');
  await replica.clock.advance(50_000);
  replica.meters.expect(orders, ['a']);
  assert.deepEqual(replica.look().silent, ['a']);
  await replica.clock.advance(11_000);
  assert.deepEqual(replica.look(), nobody);
  replica.report('a');
  replica.meters.expect(orders, ['a']);
  assert.deepEqual(replica.look(), { heard: ['a'], calling: ['a'], silent: [] });
});

test('one that only reports, and has not called for a minute, need not have been told anything', async () => {
  const replica = new Replica();
  replica.xds = { ...replica.xds, connected: new Set(['a']) };
  replica.report('a');
  await replica.clock.advance(61_000);
  replica.report('a', 0);
  assert.deepEqual(replica.look(), { heard: ['a'], calling: [], silent: [] });
  replica.report('a');
  assert.deepEqual(replica.look().calling, ['a']);
});
