import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeshError } from '../../../core/errors.ts';
import { type RegistryEvent, runSource, type SourceSession } from '../../../core/registry/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { until } from '../../support/until.ts';
import { service } from './records.ts';

const options = { clock: systemClock, random: () => 0, onFailure: () => {}, backoff: { baseMs: 1, maxMs: 2 } };
const down = () => new MeshError('REGISTRY_UNREACHABLE', 'down', { retryable: true });
const forever = (signal: AbortSignal) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

async function take(session: SourceSession, count: number): Promise<RegistryEvent[]> {
  const events: RegistryEvent[] = [];
  for await (const event of runSource(session, options, new AbortController().signal)) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

test('one outage is one stale, however many tries it takes, and a snapshot ends it', async () => {
  let tries = 0;
  const events = await take(async (emit, signal) => {
    tries += 1;
    if (tries < 5) throw down();
    await emit({ kind: 'snapshot', services: [], cursor: '1' });
    if (tries === 5) throw down();
    await forever(signal);
  }, 4);
  assert.deepEqual(
    events.map((e) => e.kind),
    ['stale', 'snapshot', 'stale', 'snapshot'],
  );
});

test('a session that returns is run again without stale', async () => {
  const events = await take((emit) => emit({ kind: 'snapshot', services: [], cursor: '1' }), 3);
  assert.deepEqual(
    events.map((e) => e.kind),
    ['snapshot', 'snapshot', 'snapshot'],
  );
});

test('a reader that is slow holds the session back and misses nothing', async () => {
  let emitted = 0;
  const controller = new AbortController();
  const iterator = runSource(
    async (emit, signal) => {
      await emit({ kind: 'snapshot', services: [], cursor: '0' });
      for (; emitted < 500; emitted++) await emit({ kind: 'upsert', service: service(`s${emitted}`), cursor: `${emitted}` });
      await forever(signal);
    },
    options,
    controller.signal,
  )[Symbol.asyncIterator]();
  await iterator.next();
  await until('the queue is full', () => emitted >= 60);
  assert.ok(emitted < 100, `${emitted} events ahead of the reader`);
  const names: string[] = [];
  for (let i = 0; i < 500; i++) {
    const { value } = await iterator.next();
    if (value?.kind === 'upsert') names.push(value.service.name);
  }
  assert.deepEqual(
    names,
    Array.from({ length: 500 }, (_, i) => `s${i}`),
  );
  controller.abort();
  assert.deepEqual(await iterator.next(), { value: undefined, done: true });
});

test('abort ends the iteration without an error, after the session has ended', async () => {
  const controller = new AbortController();
  let ended = false;
  const reading = (async () => {
    for await (const _ of runSource(
      async (_emit, signal) => {
        await forever(signal);
        ended = true;
      },
      options,
      controller.signal,
    ));
  })();
  setImmediate(() => controller.abort(new Error('stop')));
  await reading;
  assert.equal(ended, true);
});

test('a signal that is aborted already yields nothing', async () => {
  for await (const event of runSource(async () => assert.fail('session ran'), options, AbortSignal.abort())) assert.fail(event.kind);
});
