import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { ChangeResult, ObjectList, Plan, RevisionList, Status } from '../../../core/admin/index.ts';
import { json, policy, running, written } from '../../support/object-scene.ts';
import { until } from '../../support/until.ts';

const names = (list: ObjectList) => list.objects.map((o) => `${o.namespace}/${o.name}`);

test('apply, get, history, rollback and delete; what was acknowledged is there after kill -9', async (t) => {
  const control = await running(t);
  const file = await written(control, 'two.yaml', `${policy('a', 'one')}---\n${policy('b', 'two')}`);
  const first = json<ChangeResult>(await control.cli('apply', '-f', file, '-m', 'the first', '-o', 'json'));
  assert.deepEqual([first.revision, first.objects.map((o) => o.action)], [1, ['created', 'created']]);
  const again = json<ChangeResult>(await control.cli('apply', '-f', file, '-o', 'json'));
  assert.deepEqual([again.revision, again.objects.map((o) => o.action)], [undefined, ['unchanged', 'unchanged']]);

  await writeFile(file, policy('a', 'three'));
  const dry = await control.cli('apply', '-f', file, '--dry-run');
  assert.match(dry.out, /AuthorizationPolicy shop\/a configured \(dry run\)\nNothing was changed/);
  assert.equal(json<ChangeResult>(await control.cli('apply', '-f', file, '-o', 'json')).revision, 2);
  await control.kill();
  await control.start();

  const list = json<ObjectList>(await control.cli('get', 'ap', '-n', 'shop', '-o', 'json'));
  assert.deepEqual(names(list), ['shop/a', 'shop/b']);
  assert.deepEqual(list.objects[0]?.owner, { cluster: 'east', source: 'api' });
  assert.ok(list.objects.every((o) => o.inForce && o.findings.length === 0));
  const yaml = await control.cli('get', 'authorizationpolicies', 'shop/a', '-o', 'yaml');
  assert.match(yaml.out, /namespaces: *\n? *(- three|\[ *three *\])/);

  const detail = await control.cli('history', '2');
  assert.match(detail.out, /-\s+- one\n\+\s+- three/);
  assert.equal(json<ChangeResult>(await control.cli('rollback', '1', '-o', 'json')).revision, 3);
  assert.match((await control.cli('get', 'ap', 'shop/a', '-o', 'yaml')).out, /one/);
  assert.equal(json<ChangeResult>(await control.cli('delete', 'ap', 'shop/a', 'shop/b', '-o', 'json')).revision, 4);
  assert.deepEqual(names(json<ObjectList>(await control.cli('get', '-o', 'json'))), []);
  assert.equal(json<ChangeResult>(await control.cli('rollback', '3', '-o', 'json')).revision, 5);
  const back = json<ObjectList>(await control.cli('get', '-o', 'json'));
  assert.deepEqual(
    back.objects.map((o) => [o.name, o.createdAt]),
    list.objects.map((o) => [o.name, o.createdAt]),
    'what comes back is as old as it was',
  );
  const history = json<RevisionList>(await control.cli('history', '-o', 'json'));
  assert.deepEqual(
    history.revisions.map((r) => [r.number, r.reason]),
    [
      [5, 'rollback'],
      [4, 'delete'],
      [3, 'rollback'],
      [2, 'apply'],
      [1, 'apply'],
    ],
  );
  assert.equal(history.revisions[4]?.message, 'the first');

  const audit = await readFile(join(control.dir, 'state', 'audit.jsonl'), 'utf8');
  const lines = audit
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l) as { what: string; diff: { subject: string }[]; request: { body: object } });
  const applied = lines.filter((l) => l.what === 'POST /v1/objects/apply');
  assert.deepEqual(
    applied.map((l) => l.diff.length),
    [2, 0, 0, 1],
  );
  assert.doesNotMatch(JSON.stringify(applied.map((l) => l.request)), /apiVersion/, 'the text of documents stays out of the audit log');
});

test('one bad document of several: nothing is applied, and every mistake is shown with file and line', async (t) => {
  const control = await running(t);
  const file = await written(
    control,
    'bad.yaml',
    `${policy('fine', 'one')}---\n${policy('bad', 'two').replace('DENY', 'DENI')}---\nkind: [\n`,
  );
  const other = await written(
    control,
    'mesh.yaml',
    'apiVersion: isthmus.dev/v1alpha1\nkind: ExportPolicy\nmetadata: {name: x, namespace: shop}\nspec: {services: ["*"], audience: ["*"]}\n',
  );
  const refused = await control.cli('apply', '-f', file, '-f', other);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /bad\.yaml:1[0-9]+: spec\.action: /);
  assert.match(refused.err, /bad\.yaml:2[0-9]: not valid YAML/);
  assert.match(refused.err, /mesh\.yaml:2: kind: ExportPolicy belongs in the configuration files/);
  assert.deepEqual(names(json<ObjectList>(await control.cli('get', '-o', 'json'))), []);
  const foreign = await written(
    control,
    'foreign.yaml',
    policy('foreign', 'x').replace('namespaces: [x]', 'principals: [other.org/ns/a/sa/b]'),
  );
  assert.match(
    (await control.cli('apply', '-f', foreign)).err,
    /principals\[0\]: can never match: the trust domain of this mesh is mesh\.test/,
  );
  const missing = await control.cli('delete', 'vs', 'nothing', '-n', 'shop');
  assert.equal(missing.code, 2);
  assert.match(missing.err, /VirtualService shop\/nothing is not there/);
});

test('what the configuration files own is changed there; a bad file does not take the last good away', async (t) => {
  const control = await running(t, policy('owned', 'one'));
  const file = await written(control, 'owned.yaml', policy('owned', 'two'));
  const refused = await control.cli('apply', '-f', file);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /owned\.yaml:4: metadata\.name: belongs to this control plane's configuration files: change it there/);
  const gone = await control.cli('delete', 'ap', 'shop/owned');
  assert.match(gone.err, /belongs to this control plane's configuration files/);
  await control.write('more.yaml', `${policy('owned', 'one')}---\n${policy('second', 'one')}`);
  await until('the second file object', async () => names(json<ObjectList>(await control.cli('get', '-o', 'json'))).length === 2);
  await control.write('more.yaml', 'kind: nonsense\n');
  await until(
    'the refusal',
    async () => json<{ configViolations: string[] }>(await control.cli('status', '-o', 'json')).configViolations.length > 0,
  );
  assert.deepEqual(names(json<ObjectList>(await control.cli('get', '-o', 'json'))), ['shop/owned', 'shop/second']);
  assert.match((await control.cli('status')).out, /^CONFIGURATION\nThe files as they are now were refused.*\n {2}.*more\.yaml:1: /m);
});

test('what analysis finds of the objects in force is in status: how many, the first of them, and where the others are', async (t) => {
  const control = await running(t);
  const route = (n: number) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v${n}, namespace: shop}
spec: {hosts: [v${n}.example.org], http: [{route: [{destination: {host: gone-${n}}}]}]}
`;
  const seven = [1, 2, 3, 4, 5, 6, 7].map(route).join('---\n');
  assert.equal((await control.cli('apply', '-f', await written(control, 'dangling.yaml', seven))).code, 0);
  const status = await until('the findings', async () => {
    const now = json<Status>(await control.cli('status', '-o', 'json'));
    return (now.findings?.errors ?? 0) >= 7 ? now : undefined;
  });
  assert.equal(status.findings?.first.length, 5);
  assert.match(
    (await control.cli('status')).out,
    /^FINDINGS\n\d+ errors and \d+ warnings? .*; the first of them, all with isthmus get\n {2}error [a-z-]+: VirtualService shop\/v1 spec\./m,
  );
});

const gateway = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front, namespace: shop }
spec:
  selector: { istio: ingress }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]
`;
/** Its matches are written as so many, one a line, for a Gateway. */
const matching = (name: string, count: number) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: shop }
spec:
  hosts: [${name}.test]
  gateways: [front]
  http:
    - redirect: { uri: /other }
    - route: [{ destination: { host: orders } }]
      match:
${Array.from({ length: count }, (_, i) => `        - uri: { exact: /${i} }`).join('\n')}
`;

test('what proxies would refuse once it is compiled is refused before it is stored, and what they refuse already keeps nobody from changes', async (t) => {
  const control = await running(t);
  const file = await written(control, 'large.yaml', `${gateway}---\n${matching('one', 1025)}---\n${matching('two', 1026)}`);
  for (const command of [['apply'], ['apply', '--dry-run']]) {
    const refused = await control.cli(...command, '-f', file);
    assert.equal(refused.code, 2);
    assert.match(
      refused.err,
      /large\.yaml:16: spec\.http\[1\]: proxies would refuse what is made of it for Gateway shop\/front, .*matches: must not be/,
    );
    assert.match(refused.err, /large\.yaml:1052: spec\.http\[1\]: proxies would refuse /, 'all at once');
  }
  assert.deepEqual(names(json<ObjectList>(await control.cli('get', '-o', 'json'))), []);
  assert.equal(json<RevisionList>(await control.cli('history', '-o', 'json')).newest, 0);
  const planned = await control.cli('plan', '-f', file, '-o', 'json');
  assert.equal(planned.code, 2);
  const found = (JSON.parse(planned.out) as Plan).findings.filter((f) => f.code === 'refused-by-proxies');
  assert.deepEqual(
    found.map((f) => [f.severity, f.object, f.path]),
    [
      ['error', 'VirtualService shop/one', 'spec.http[1]'],
      ['error', 'VirtualService shop/two', 'spec.http[1]'],
    ],
  );

  // The files say it of themselves, and another route of the same Gateway is free to change.
  await control.write('large.yaml', `${gateway}---\n${matching('one', 1025)}`);
  const told = async () => json<ObjectList>(await control.cli('get', 'vs', '-o', 'json')).objects[0]?.findings.map((f) => f.code) ?? [];
  await until('the finding', async () => (await told()).includes('refused-by-proxies'));
  const small = await written(control, 'small.yaml', matching('two', 3));
  assert.equal(json<ChangeResult>(await control.cli('apply', '-f', small, '-o', 'json')).revision, 1);
  assert.equal((await control.cli('apply', '-f', await written(control, 'two.yaml', matching('two', 1026)))).code, 2);
});
