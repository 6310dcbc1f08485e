import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AddressBook, type DrainMemory, judgeDrain, type OldPlace, type SocketSighting } from '../../../control/migrate/drain/index.ts';
import { viewOf } from '../../support/catalog-view.ts';

const place: OldPlace = { cluster: 'east', instance: 'n1/orders', network: 'a', address: '10.0.0.1', port: 8080 };
const watch = { address: place.address, port: place.port, namespace: '', name: '' };
const book = new AddressBook(viewOf([]));
const bakeMs = 60_000;

/** One look: how long after the one before, and what the machine was like at it. */
const look = fc.record({
  afterMs: fc.constantFrom(1_000, 5_000, 15_000, 45_000, 200_000),
  agent: fc.constantFrom('sees', 'sees', 'sees', 'sees', 'silent', 'blind', 'gone', 'restarted'),
  callers: fc.constantFrom(0, 0, 0, 0, 1, 3),
  /** Somebody came and went since the last look. */
  visitorMs: fc.option(fc.integer({ min: 1, max: 60_000 }), { freq: 4 }),
});

test('safe is said only after a whole bake time in which an agent saw all along, and saw nobody', () => {
  fc.assert(
    fc.property(fc.array(look, { minLength: 1, maxLength: 40 }), (looks) => {
      let memory: DrainMemory = new Map();
      let now = 0;
      let agentSince = 0;
      /** Since when the oracle knows of quiet; undefined: it does not. */
      let quietSince: number | undefined;
      let lastLook = 0;
      for (const { afterMs, agent, callers, visitorMs } of looks) {
        now += afterMs;
        const sees = agent === 'sees' || agent === 'restarted';
        if (agent === 'restarted') agentSince = now - 500;
        const visitorAt = visitorMs === null || !sees ? undefined : now - Math.min(visitorMs, afterMs);
        const report = agent === 'gone' ? [] : [sighting({ agent, now, agentSince, callers, visitorAt })];
        const judged = judgeDrain({ places: [place], sightings: report, book, memory, bakeMs, monotonic: now, now });
        memory = judged.memory;
        const endpoint = judged.endpoints[0] ?? assert.fail('no verdict');
        if (!sees) quietSince = undefined;
        else {
          // An agent remembers callers for two minutes: a longer gap between two looks proves nothing.
          if (quietSince === undefined || now - lastLook > 120_000) quietSince = now;
          quietSince = Math.max(quietSince, agentSince, visitorAt ?? 0, callers > 0 ? now : 0);
        }
        lastLook = now;
        if (!sees) assert.equal(endpoint.verdict, 'unknown');
        else if (callers > 0) assert.equal(endpoint.verdict, 'in-use');
        else assert.ok(endpoint.verdict === 'quiet' || endpoint.verdict === 'safe');
        if (endpoint.verdict === 'safe')
          assert.ok(quietSince !== undefined && now - quietSince >= bakeMs, `safe at ${now}, quiet since ${quietSince}`);
        if (quietSince !== undefined && now - quietSince >= bakeMs + 20_000) assert.equal(endpoint.verdict, 'safe', 'and it does come');
      }
    }),
    { numRuns: 500 },
  );
});

interface Scene {
  readonly agent: string;
  readonly now: number;
  readonly agentSince: number;
  readonly callers: number;
  readonly visitorAt: number | undefined;
}

function sighting({ agent, now, agentSince, callers, visitorAt }: Scene): SocketSighting {
  const open = { address: '10.0.0.7', program: '', connections: callers, idleMs: 0 };
  const visitor = { address: '10.0.0.8', program: '', connections: 0, idleMs: now - (visitorAt ?? now) };
  return {
    instance: 'shop~orders~vm-1',
    network: 'a',
    addresses: [place.address],
    watch,
    ageMs: agent === 'silent' ? 30_000 : 0,
    watchingMs: now - agentSince,
    inbound: true,
    listening: true,
    fault: agent === 'blind' ? 'the socket table cannot be read' : '',
    callers: [...(callers > 0 ? [open] : []), ...(visitorAt === undefined ? [] : [visitor])],
    moreCallers: 0,
    ownConnections: 0,
  };
}
