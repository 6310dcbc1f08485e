import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddressBook,
  type DrainMemory,
  judgeDrain,
  type OldPlace,
  oldPlaces,
  type SocketSighting,
  socketTargets,
  withGone,
} from '../../../../control/migrate/drain/index.ts';
import { gatewayOf, serviceOf, viewOf } from '../../../support/catalog-view.ts';

const place: OldPlace = { cluster: 'east', instance: 'n1/orders', network: 'a', address: '10.0.0.1', port: 8080 };
const view = viewOf(
  [serviceOf('web', [{ instance: 'web-1', address: '10.0.0.20' }])],
  [gatewayOf('a', 'east', ['10.0.0.30'], { instance: 'gw' })],
);
const book = new AddressBook(view);

function sighting(more: Partial<SocketSighting> = {}): SocketSighting {
  const watch = { address: place.address, port: place.port, namespace: '', name: '' };
  return {
    instance: 'shop~orders~vm-1',
    network: 'a',
    addresses: ['10.0.0.1'],
    watch,
    ageMs: 0,
    watchingMs: 1_000_000,
    inbound: true,
    listening: true,
    fault: '',
    callers: [],
    moreCallers: 0,
    ownConnections: 0,
    ...more,
  };
}
const caller = (address: string, connections = 1, idleMs = 0, program = '') => ({ address, program, connections, idleMs });

/** Looks, one after the other, 10 s apart, with a bake of 30 s. */
function looks(...seen: readonly (readonly SocketSighting[])[]) {
  let memory: DrainMemory = new Map();
  return seen.map((sightings, index) => {
    const judged = judgeDrain({
      places: [place],
      sightings,
      book,
      memory,
      bakeMs: 30_000,
      monotonic: index * 10_000,
      now: 1_700_000_000_000 + index * 10_000,
    });
    memory = judged.memory;
    return judged.endpoints[0] ?? assert.fail('no endpoint');
  });
}
const verdicts = (...seen: readonly (readonly SocketSighting[])[]) => looks(...seen).map(({ verdict }) => verdict);

test('safe takes the whole bake time from the first look; any connection from outside begins it anew', () => {
  const quiet = [sighting()];
  assert.deepEqual(verdicts(quiet, quiet, quiet, quiet), ['quiet', 'quiet', 'quiet', 'safe']);
  const used = [sighting({ callers: [caller('10.0.0.99')] })];
  assert.deepEqual(verdicts(quiet, quiet, quiet, used, quiet, quiet, quiet, quiet), [
    'quiet',
    'quiet',
    'quiet',
    'in-use',
    'quiet',
    'quiet',
    'safe',
    'safe',
  ]);
  // Nobody looked while it was there: the agent remembers it, 5 s ago.
  const lately = [sighting({ callers: [caller('10.0.0.99', 0, 5_000)] })];
  const [, , , after] = looks(quiet, quiet, quiet, lately);
  assert.equal(after?.verdict, 'quiet');
  assert.equal(after?.since, new Date(1_700_000_025_000).toISOString());
});

test('nobody who sees: unknown, never safe, and the bake begins again', () => {
  const quiet = [sighting()];
  assert.deepEqual(verdicts(quiet, quiet, [sighting({ ageMs: 25_000 })], quiet, quiet), ['quiet', 'quiet', 'unknown', 'quiet', 'quiet']);
  assert.deepEqual(verdicts([], [], [], [], []), ['unknown', 'unknown', 'unknown', 'unknown', 'unknown']);
  const [blind] = looks([sighting({ fault: 'docker-proxy holds the port' })]);
  assert.match(blind?.reason ?? '', /does not see its connections: docker-proxy/);
  const [alone] = looks([sighting({ network: 'b' })]);
  assert.match(alone?.reason ?? '', /no agent on that machine/);
  assert.deepEqual([alone?.since, alone?.meshStreams, alone?.callers], [null, null, []]);
  const [claims] = looks([sighting({ addresses: ['10.0.0.2'] })]);
  assert.equal(claims?.verdict, 'unknown', 'only who registered with the address speaks for it');
  assert.equal(verdicts([sighting({ listening: false })])[0], 'unknown', 'the program may be in a namespace of its own');
  assert.deepEqual(verdicts(quiet, [sighting({ listening: false })]), ['quiet', 'quiet'], 'it was switched off');
  // A start of the agent within one look.
  assert.deepEqual(verdicts(quiet, quiet, quiet, [sighting({ watchingMs: 3_000 })], quiet), ['quiet', 'quiet', 'quiet', 'quiet', 'quiet']);
});

test('gateways and agents that vouch are the mesh; everybody else is listed by address and name', () => {
  const watch = sighting().watch;
  const elsewhere = sighting({
    instance: 'shop~web~vm-2',
    addresses: ['10.0.0.20'],
    inbound: false,
    listening: false,
    watch,
    ownConnections: 2,
  });
  const here = sighting({ callers: [caller('10.0.0.30', 3), caller('10.0.0.20', 2)], ownConnections: 1 });
  const [mesh] = looks([here, elsewhere]);
  assert.deepEqual([mesh?.verdict, mesh?.meshStreams, mesh?.callers], ['quiet', 6, []]);
  const [unvouched] = looks([here]);
  assert.deepEqual(unvouched?.callers, [{ address: '10.0.0.20', name: 'shop/web (web-1)', connections: 2 }]);
  const withProgram = { ...elsewhere, ownConnections: 1, callers: [caller('10.0.0.20', 1, 0, 'curl')] };
  const [program] = looks([here, withProgram]);
  assert.deepEqual(
    [program?.verdict, program?.meshStreams, program?.callers],
    ['in-use', 5, [{ address: '10.0.0.20', name: 'curl, shop/web (web-1)', connections: 1 }]],
  );
  const local = sighting({ callers: [caller('127.0.0.1', 1, 0, 'cron'), caller('127.0.0.1', 1, 0, 'consul')] });
  const [own] = looks([local]);
  assert.deepEqual(own?.callers, [{ address: '127.0.0.1', name: 'cron on the machine itself', connections: 1 }]);
});

test('of two agents on one machine each may take the other’s connections for a program’s', () => {
  const one = sighting({ ownConnections: 2 });
  const other = sighting({ instance: 'shop~web~vm-1', callers: [caller('127.0.0.1', 2, 0, 'envoy')] });
  const [place0] = looks([other, one]);
  assert.deepEqual([place0?.verdict, place0?.meshStreams, place0?.callers], ['quiet', 2, []]);
  const both = [one, other].map((each) => ({ ...each, callers: [...each.callers, caller('127.0.0.1', 1, 0, 'cron')] }));
  assert.deepEqual(
    looks(both)[0]?.callers.map(({ name }) => name),
    ['cron on the machine itself'],
  );
});

test('behind its own agent an app has no callers from the mesh but that agent', () => {
  const behind: OldPlace = { ...place, instance: 'shop~orders~vm-1', port: 15_006, behindAgent: { namespace: 'shop', name: 'orders' } };
  const watch = { address: '', port: 0, namespace: 'shop', name: 'orders' };
  const seen = [sighting({ watch, callers: [caller('10.0.0.30')], ownConnections: 4 })];
  const { endpoints } = judgeDrain({ places: [behind], sightings: seen, book, memory: new Map(), bakeMs: 1, monotonic: 0, now: 0 });
  assert.deepEqual([endpoints[0]?.verdict, endpoints[0]?.meshStreams, endpoints[0]?.callers[0]?.name], ['in-use', 4, 'gateway east/gw']);
  assert.deepEqual(socketTargets([behind]), [{ network: 'a', instance: 'shop~orders~vm-1', watch }]);
});

test('old places are those of the endpoints that are given, once for each port', () => {
  const view = viewOf([
    serviceOf('orders', [{ instance: 'i', address: 'fd00::1', tlsMode: 'none', ports: { http: 1, admin: 2, alias: 1 } }]),
  ]);
  const [place0, place1, ...rest] = oldPlaces([...view.services.values()][0]?.endpoints ?? [], { namespace: 'shop', name: 'orders' });
  assert.deepEqual([place0?.port, place1?.port, place0?.behindAgent, rest], [1, 2, undefined, []]);
  const { endpoints } = judgeDrain({ places: [place0 ?? place], sightings: [], book, memory: new Map(), bakeMs: 1, monotonic: 0, now: 0 });
  assert.equal(endpoints[0]?.address, '[fd00::1]:1');
});

test('callers beyond the bound are counted in one line', () => {
  const many = Array.from({ length: 70 }, (_, n) => caller(`10.1.0.${n}`));
  const [endpoint] = looks([sighting({ callers: many, moreCallers: 5 })]);
  assert.equal(endpoint?.callers.length, 65);
  assert.deepEqual(endpoint?.callers.at(-1)?.name, 'and 11 more');
});

test('what neither end accounts for is open, whatever program was there before', () => {
  const there = sighting({ instance: 'web', addresses: ['10.0.0.20'], inbound: false, callers: [caller('10.0.0.20', 0, 60_000, 'curl')] });
  const [judged] = looks([sighting({ callers: [caller('10.0.0.20', 3)] }), there]);
  assert.equal(judged?.verdict, 'in-use');
  assert.match(judged?.reason ?? '', /^3 connections/);
});

test('a place that left its registry is followed while its machine listens or is in use, and is forgotten once it is off', () => {
  const gone = { ...place, gone: true as const };
  let memory: DrainMemory = new Map();
  let monotonic = 0;
  const look = (old: OldPlace, sightings: readonly SocketSighting[]) => {
    monotonic += 10_000;
    const judged = judgeDrain({ places: [old], sightings, book, memory, bakeMs: 30_000, monotonic, now: monotonic });
    memory = judged.memory;
    return judged.endpoints.map(({ verdict }) => verdict);
  };
  const used = [sighting({ callers: [caller('10.0.0.99')] })];
  assert.deepEqual(look(place, used), ['in-use']);
  assert.deepEqual(look(gone, used), ['in-use']);
  assert.deepEqual(look(gone, []), ['unknown'], 'nobody looks, and it was in use');
  assert.deepEqual(look(gone, []), ['unknown']);
  assert.deepEqual(look(gone, [sighting({ listening: false, callers: [caller('10.0.0.99')] })]), ['in-use'], 'what was open is open still');
  const quiet = [sighting()];
  assert.deepEqual(
    [...Array(3)].flatMap(() => look(gone, quiet)),
    ['quiet', 'quiet', 'safe'],
  );
  assert.deepEqual(look(gone, [sighting({ listening: false })]), [], 'its program ended');
  assert.deepEqual(look(gone, quiet), ['quiet']);
  assert.deepEqual(look(gone, []), [], 'it is off');
  assert.deepEqual(withGone([], [place]), [gone]);
  assert.deepEqual(withGone([place], [gone]), [place]);
});
