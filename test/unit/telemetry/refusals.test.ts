import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createRefusalCounter, createRefusals } from '../../../control/telemetry/index.ts';
import { type Log, silentLog } from '../../../core/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function scene() {
  const said: { readonly message: string; readonly repeated: unknown; readonly source: unknown }[] = [];
  const warn = (fields: object, message: string) => {
    const { repeated, source } = fields as Record<string, unknown>;
    said.push({ message, repeated, source });
  };
  const log: Log = { ...silentLog, warn };
  const clock = new ManualClock();
  const counter = createRefusalCounter(new Registry());
  const refusals = createRefusals(log, counter, clock);
  const counted = async () => (await counter.get()).values.reduce((sum, { value }) => sum + value, 0);
  return { said, clock, refusals, counted };
}

test('a refusal that is repeated is logged once a minute, with how often it was, and counted each time', async () => {
  const { said, clock, refusals, counted } = scene();
  const refuse = (source = '10.0.0.1') => refusals.refuse('connection', 'revoked', 'serial 1 is denied', { source });
  for (let i = 0; i < 100; i++) {
    refuse();
    clock.advance(500);
  }
  refuse('10.0.0.2');
  clock.advance(9_999);
  refuse();
  clock.advance(1);
  refuse();
  refuse();
  const message = 'connection refused';
  assert.deepEqual(said, [
    { message, source: '10.0.0.1', repeated: undefined },
    { message, source: '10.0.0.2', repeated: undefined },
    { message, source: '10.0.0.1', repeated: 100 },
  ]);
  assert.equal(await counted(), 104);
  clock.advance(120_000);
  refuse('10.0.0.2');
  assert.deepEqual(said.at(-1), { message, source: '10.0.0.2', repeated: undefined }, 'nothing was held back');
});

test('refusals that differ in anything are all logged, and what is known of them is bounded', async () => {
  const { said, refusals, counted } = scene();
  refusals.refuse('attestation', 'expired', 'a');
  refusals.refuse('attestation', 'expired', 'b');
  refusals.refuse('attestation', 'used-up', 'a');
  refusals.refuse('renewal', 'expired', 'a');
  refusals.refuse('renewal', 'expired', 'a', { serial: '1' });
  assert.equal(said.length, 5);
  for (let i = 0; i < 1_024; i++) refusals.refuse('renewal', 'expired', `${i}`);
  refusals.refuse('attestation', 'expired', 'a');
  assert.equal(said.length, 5 + 1_024 + 1, 'the oldest was forgotten, and is logged again');
  assert.equal(await counted(), said.length);
});
