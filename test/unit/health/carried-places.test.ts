import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../core/system-clock.ts';
import type { TcpProbe } from '../../../gateway/health/probe-tcp.ts';
import { SilenceWatch } from '../../../gateway/health/silence-watch.ts';
import type { EndpointState } from '../../../gateway/state/types.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const endpoint = { address: '10.0.0.9', port: 80, viaGateway: false } as EndpointState;
const clusters = new Map([['c', { name: 'c', host: 'h', namespace: 'n', service: 's', connectTimeoutMs: 1_000, endpoints: [endpoint] }]]);

/** A watch that hears of connections by what an engine tells of places, and what it told that engine. */
function carriedBy(t: Parameters<typeof onEnd>[0], answers: () => TcpProbe) {
  const place = { endpoint, heard: 0, waiting: true };
  const given: (readonly [EndpointState, ReadonlySet<string> | undefined])[] = [];
  let probes = 0;
  let open = true;
  const watch = new SilenceWatch({
    clock: systemClock,
    probe: async () => {
      probes += 1;
      return answers();
    },
    clusters: () => clusters,
    onChange: () => {},
    ownAddresses: () => new Set(['10.0.0.7']),
  });
  onEnd(t, async () => watch.dispose());
  watch.follow({
    places: () => (open ? [{ ...place }] : []),
    giveUp: (...args) => {
      given.push([args[0], args[1]]);
    },
  });
  const close = () => {
    open = false;
  };
  return { watch, place, given, probes: () => probes, close };
}

test('a place that says nothing and answers no probe is ejected, its connections are given up, and it returns when it answers', async (t) => {
  let answer: TcpProbe = 'nothing';
  const { watch, given, close } = carriedBy(t, () => answer);
  await until('its ejection', () => watch.ejected.has('c 10.0.0.9:80'));
  assert.deepEqual(given, [[endpoint, undefined]]);
  close();
  answer = 'open';
  await until('its return', () => watch.ejected.size === 0);
});

test('a place that answers probes is kept, and what was made from an address that is gone is given up', async (t) => {
  const { watch, given, probes } = carriedBy(t, () => 'open');
  await until('two probes', () => given.length >= 1 && probes() >= 3);
  assert.equal(watch.ejected.size, 0);
  assert.deepEqual([...(given[0]?.[1] ?? [])], ['10.0.0.7']);
});

test('a place of which something is heard is not probed', async (t) => {
  const { place, probes, given } = carriedBy(t, () => 'nothing');
  let looks = 0;
  await until('ten looks', () => {
    place.heard += 1;
    looks += 1;
    return looks >= 40;
  });
  assert.deepEqual([probes(), given.length], [0, 0]);
});
