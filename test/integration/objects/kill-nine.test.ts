import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ChangeResult, ObjectList, RevisionList } from '../../../core/admin/index.ts';
import { json, policy, running, written } from '../../support/object-scene.ts';

const lives = Number(process.env['KILL_NINE_LIVES'] ?? 4);
const documents = 60;

test('killed in the middle of applies: each is there whole or not at all, and what was acknowledged is there', async (t) => {
  const control = await running(t);
  const acknowledged: string[] = [];
  for (let life = 0; life < lives; life++) {
    const label = `life-${life}`;
    const text = Array.from({ length: documents }, (_, n) => policy(`p${n}`, label)).join('---\n');
    const file = await written(control, `${label}.yaml`, text);
    const applied = control.cli('apply', '-f', file, '-m', label, '-o', 'json');
    // Somewhere between the start of the command and its answer; whatever it hits must hold.
    await Promise.race([delay(400 + Math.random() * 1500), applied]);
    await control.kill();
    const { code, out } = await applied;
    if (code === 0) acknowledged.push(`${label} ${(JSON.parse(out) as ChangeResult).revision}`);
    await control.start();
    const { objects } = json<ObjectList>(await control.cli('get', '-o', 'json'));
    const callers = new Set(objects.map((o) => JSON.stringify(o.document?.['spec'])));
    assert.ok(
      objects.length === 0 || (objects.length === documents && callers.size === 1),
      `${objects.length} objects of ${callers.size} applies`,
    );
  }
  const { revisions } = json<RevisionList>(await control.cli('history', '-o', 'json'));
  const known = revisions.map((r) => `${r.message} ${r.number}`);
  for (const each of acknowledged) assert.ok(known.includes(each), `${each} was acknowledged; there is ${known.join(', ')}`);
});
