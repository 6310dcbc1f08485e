import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Awareness, type AwarenessInput } from '../../../control/ca/rotation/awareness.ts';

const agent = 'shop/orders/vm-1';
const envoy = `${agent}.envoy`;
const returnMs = 15_000;

/** Two roots in force and their signing certificates; nobody is connected, nobody holds anything, unless said. */
function input(now: number, more: Partial<AwarenessInput> = {}): AwarenessInput {
  return {
    roots: ['old', 'new'],
    intermediates: ['signs', 'staged'],
    clients: [],
    reports: new Map(),
    held: [],
    without: [],
    now,
    ...more,
  };
}

const all = ['old', 'new', 'signs', 'staged'];
const client = (name: string, behind = false) => ({ name, behind });
const names = ({ unaware }: ReturnType<Awareness['look']>) => unaware.map(({ name, offline }) => `${name}${offline ? ' offline' : ''}`);

test('a control plane that started anew says of nothing that everybody has it before those who were there had the time to come back', () => {
  const awareness = new Awareness({ returning: true, returnMs, now: 100 });
  const held = [{ name: agent, serial: '1', root: 'old', notAfter: 1_000_000 }];
  const first = awareness.look(input(200, { held }));
  assert.deepEqual([first.known, names(first)], [[], [`${agent} offline`, 'control']]);
  // The agent is back and knows all, its Envoy dials a little later, as Envoy does, and knows nothing of it yet.
  const reports = new Map([[agent, { serial: '1', trusted: new Set(['old', 'new']), uses: [] }]]);
  const second = awareness.look(input(5_000, { held, reports, clients: [client(agent)] }));
  assert.deepEqual([second.known, names(second)], [[], ['control']]);
  const third = awareness.look(input(returnMs + 100, { held, reports, clients: [client(agent), client(envoy, true)] }));
  assert.deepEqual([third.known, names(third)], [[], [envoy]]);
  const fourth = awareness.look(input(returnMs + 200, { held, reports, clients: [client(agent), client(envoy)] }));
  assert.deepEqual([fourth.known, names(fourth)], [all, []]);
});

test('where nobody can have taken part before, nobody is waited for', () => {
  const awareness = new Awareness({ returning: false, returnMs, now: 100 });
  assert.deepEqual(awareness.look(input(100)), { known: all, unaware: [] });
});

test('who is cut off for a moment is waited for as long as dialling anew takes, for signing certificates too, and no longer', () => {
  const awareness = new Awareness({ returning: false, returnMs, now: 0 });
  const before = { roots: ['old'], intermediates: ['signs'] };
  assert.deepEqual(awareness.look(input(0, { ...before, clients: [client(envoy)] })).known, ['old', 'signs']);
  const announced = { roots: ['old'], intermediates: ['signs', 'staged'] };
  const away = awareness.look(input(1_000, announced));
  assert.deepEqual([away.known, names(away)], [['old', 'signs'], [`${envoy} offline`]]);
  const back = awareness.look(input(2_000, { ...announced, clients: [client(envoy, true)] }));
  assert.deepEqual([back.known, names(back)], [['old', 'signs'], [envoy]]);
  assert.deepEqual(names(awareness.look(input(2_000 + returnMs - 1, announced))), [`${envoy} offline`]);
  const gone = awareness.look(input(2_000 + returnMs, announced));
  assert.deepEqual([gone.known, names(gone)], [['old', 'signs', 'staged'], []]);
});

test('what an instance has on its disk counts while it is away, and who is left out is not waited for', () => {
  const awareness = new Awareness({ returning: false, returnMs, now: 0 });
  const held = [
    { name: agent, serial: '1', root: 'old', notAfter: 1_000_000 },
    { name: 'shop/orders/vm-2', serial: '2', root: 'old', notAfter: 1_000_000 },
  ];
  const reports = new Map([[agent, { serial: '1', trusted: new Set(['old', 'new']), uses: [] }]]);
  awareness.look(input(0, { held, reports, clients: [client(agent)] }));
  const later = awareness.look(input(returnMs * 2, { held }));
  assert.deepEqual([later.known, names(later)], [['signs', 'staged'], ['shop/orders/vm-2 offline']]);
  const without = awareness.look(input(returnMs * 2, { held, without: ['shop/orders/vm-2'] }));
  assert.deepEqual([without.known, names(without)], [all, []]);
});
