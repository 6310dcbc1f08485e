import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import test from 'node:test';
import type { ChangeResult, Plan, RevisionDetail, RevisionList } from '../../../core/admin/index.ts';
import { applied, route } from '../../support/drift-scene.ts';
import { connected, holds, joinedControls } from '../../support/joined-controls.ts';
import { json, policy, running, written } from '../../support/object-scene.ts';
import { until } from '../../support/until.ts';

test('a tentative change: others wait, confirm keeps it, and without it is rolled back, also by a restart past the deadline', async (t) => {
  const control = await running(t);
  const file = await written(control, 'a.yaml', policy('a', 'one'));
  json(await control.cli('apply', '-f', file, '-o', 'json'));
  await writeFile(file, policy('a', 'two'));
  const tentative = json<ChangeResult>(await control.cli('apply', '-f', file, '--confirm-within', '10m', '-o', 'json'));
  assert.ok(tentative.confirmBy !== undefined);
  const second = await control.cli('delete', 'ap', 'shop/a');
  assert.equal(second.code, 1);
  assert.match(second.err, /revision 2 of credential:first-admin waits to be confirmed until 20\d\d-/);
  const dry = await control.cli('apply', '-f', file, '--dry-run');
  assert.match(dry.out, /It would be refused now: revision 2 of credential:first-admin waits to be confirmed until 20\d\d-/);
  assert.match((await control.cli('plan', '-f', file)).out, /It would be refused now: revision 2 /);
  assert.match(json<ChangeResult>(await control.cli('delete', 'ap', 'shop/a', '--dry-run', '-o', 'json')).waiting ?? '', /^revision 2 /);
  for (const undoing of [
    ['plan', '--rollback', '1'],
    ['rollback', '1', '--dry-run'],
  ])
    assert.equal(json<Plan | ChangeResult>(await control.cli(...undoing, '-o', 'json')).waiting, undefined);
  assert.equal((await control.cli('confirm', '7')).code, 1);
  assert.match((await control.cli('confirm')).out, /Revision 2 is confirmed/);
  assert.equal((await control.cli('confirm')).code, 1);

  // Rolled back while it runs, and whoever waits for it is told.
  await writeFile(file, policy('a', 'three'));
  const waited = await control.cli('apply', '-f', file, '--confirm-within', '1s', '--wait');
  assert.equal(waited.code, 1);
  assert.match(waited.err, /revision 3 was rolled back/);
  assert.match((await control.cli('get', 'ap', 'shop/a', '-o', 'yaml')).out, /two/);

  // Killed, and down past the deadline: it is never served again.
  const lost = json<ChangeResult>(await control.cli('apply', '-f', file, '--confirm-within', '2s', '-o', 'json'));
  await control.kill();
  const deadline = Date.parse(lost.confirmBy ?? '');
  await until('the deadline', () => Date.now() > deadline);
  await control.start();
  assert.match((await control.cli('get', 'ap', 'shop/a', '-o', 'yaml')).out, /two/);
  const history = json<RevisionList>(await control.cli('history', '-o', 'json'));
  assert.deepEqual(
    history.revisions.slice(0, 2).map((r) => [r.number, r.reason, r.state]),
    [
      [6, 'expired', 'confirmed'],
      [5, 'apply', 'rolled-back'],
    ],
  );
  const expired = json<RevisionDetail>(await control.cli('history', '6', '-o', 'json'));
  assert.equal(expired.by, 'isthmus');
  assert.equal(expired.changes.length, 1);

  // Given up before its time.
  json(await control.cli('apply', '-f', file, '--confirm-within', '10m', '-o', 'json'));
  assert.equal((await control.cli('rollback', '6')).code, 0);
  assert.match((await control.cli('get', 'ap', 'shop/a', '-o', 'yaml')).out, /two/);
  assert.equal((await control.cli('apply', '-f', file)).code, 0, 'nothing waits any more');
});

test('the owner of a tentative change is killed: its peer goes back at the deadline by itself, and they agree once it is up again', async (t) => {
  const { east, west } = await joinedControls(t);
  await applied(east, route('kept', '1s'));
  const file = await written(east, 'tried.yaml', route('tried', '1s'));
  const { confirmBy = '' } = json<ChangeResult>(await east.cli('apply', '-f', file, '--confirm-within', '15s', '-o', 'json'));
  await holds(west, ['east/api kept', 'east/api tried']);
  await east.kill();
  assert.ok(Date.now() < Date.parse(confirmBy), 'killed before its deadline');
  await holds(west, ['east/api kept']);
  assert.ok(Date.now() >= Date.parse(confirmBy), 'and not before its time');
  await east.start();
  await connected(west);
  await holds(east, ['east/api kept']);
  await holds(west, ['east/api kept']);
});
