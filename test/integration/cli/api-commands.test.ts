import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { MeshError } from '../../../core/errors.ts';
import { certificatesToPem, generateKey, issueBootstrap, keyToPem } from '../../../core/pki/index.ts';
import { startAdmin } from '../../support/admin-server.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { runCli } from '../../support/run-cli.ts';

async function setUp(t: TestContext, options: { port?: number } = {}) {
  const admin = await startAdmin(t, options);
  const caFile = join(admin.dir, 'ca.pem');
  const credentialFile = join(admin.dir, 'credential');
  await writeFile(caFile, admin.rootPem);
  await writeFile(credentialFile, `${admin.secret}\n`);
  const env = { ISTHMUS_API: `127.0.0.1:${admin.port}`, ISTHMUS_CA_FILE: caFile, ISTHMUS_CREDENTIAL_FILE: credentialFile };
  return { ...admin, env, caFile, credentialFile };
}

test('status and explain, as text and as JSON', async (t) => {
  const { env, api } = await setUp(t);
  const text = await runCli(['status'], env);
  assert.deepEqual([text.code, text.err], [0, '']);
  assert.match(text.out, /^west {5}kubernetes {2}kubernetes {2}stale {4}1m15s/m);
  const json = await runCli(['status', '--output', 'json'], env);
  assert.deepEqual(JSON.parse(json.out), await api.status());
  const explained = await runCli(['explain', 'default/web', 'default/payments'], env);
  assert.deepEqual(
    [explained.code, explained.out.split('\n').at(-2)],
    [0, 'ALLOWED: default/web reaches default/payments through a gateway of pods'],
  );
  const missing = await runCli(['explain', 'default/web', 'default/missing', '-o', 'json'], env);
  assert.equal(missing.code, 1);
  assert.deepEqual(JSON.parse(missing.err), { error: { code: 'NOT_FOUND', message: 'no service default/missing', next: '', exit: 1 } });
});

test('commands that change something reach the control plane, and tokens alone are on standard output', async (t) => {
  const { env, api } = await setUp(t);
  const token = await runCli(
    ['vm', 'token', 'default/orders', '--port', '80', '--ttl', '24h', '--max-uses', '5', '--cidr', '10.0.0.0/8', '--cidr', '::1/128'],
    env,
  );
  assert.equal(token.code, 0, token.err);
  assert.match(token.out, /^isthmus-join-v1\.\S+\n$/);
  assert.match(token.err, /orders, 5 uses, until 2030/);
  assert.match((await runCli(['gateway', 'token'], env)).out, /^isthmus-join-v1/);
  assert.match((await runCli(['peer', 'invite', '--ttl', '1h'], env)).out, /^isthmus-peer-v1\.\S+\n$/);
  assert.match((await runCli(['peer', 'join', 'isthmus-peer-v1.0123456789'], env)).out, /Joined west in trust domain mesh.test/);
  assert.match((await runCli(['peer', 'list'], env)).out, /^west +lost +- +1m15s/m);
  assert.match((await runCli(['peer', 'remove', 'west'], env)).out, /2 services and 3 endpoints/);
  assert.match((await runCli(['vm', 'list'], env)).out, /^vm-1 +workload +default\/app +healthy +1.2s/m);
  assert.match((await runCli(['uninstall', '--plan'], env)).out, /1\. consul\/dc1: deregister\n {3}- payments-mesh\nWarning: 2 callers/);
  assert.equal((await runCli(['uninstall', '--confirm', 'west'], env)).code, 1);
  assert.match((await runCli(['uninstall', '--confirm', 'east'], env)).out, /Removed 4 records/);
  assert.deepEqual(api.calls, ['createToken', 'createToken', 'invitePeer 3600000', 'joinPeer', 'removePeer west', 'uninstall']);
});

test('the exit code says what went wrong, and the message what to do', async (t) => {
  const { env, dir, server, api } = await setUp(t, { port: await deadPort() });
  await writeFile(join(dir, 'wrong'), `isthmus-admin.${'x'.repeat(43)}`);
  const cases: [string[], Record<string, string>, number, RegExp][] = [
    [['status'], {}, 2, /address of the control plane is not known\n {2}next: give --api HOST:PORT/],
    [['status', '--api', 'http://x/y'], env, 2, /is not an address/],
    [['status', '--frobnicate'], env, 2, /unknown option '--frobnicate'/],
    [['statsu'], env, 2, /Did you mean status\?/],
    [['vm', 'token', 'orders', '--port', '80'], env, 2, /NAMESPACE\/NAME/],
    [['vm', 'token', 'default/orders'], env, 2, /which port has default\/orders/],
    [['vm', 'token', 'default/orders', '--port', '99999'], env, 2, /1-65535/],
    [['vm', 'token', 'default/orders', '--port', '80', '--cidr', 'all'], env, 2, /body\.cidrs\.0/],
    [['peer', 'invite', '--ttl', 'soon'], env, 2, /15m, 24h or 7d/],
    [['apply', '-f', join(dir, 'ca.pem'), '--wait'], env, 2, /--wait needs --confirm-within\n {2}next: nothing was changed/],
    [['traffic', '--since', '3h'], env, 2, /an hour at most/],
    [['traffic', 'nope'], env, 2, /NAMESPACE\/SERVICE_ACCOUNT/],
    [['uninstall'], env, 2, /give --plan first/],
    [['status', '--credential-file', join(dir, 'ca.pem')], env, 2, /not one line of text/],
    [['status', '--credential-file', join(dir, 'wrong')], env, 4, /credential is not valid: it may have expired/],
    [['status', '--credential-file', '/nonexistent'], env, 2, /cannot be read/],
    [['peer', 'remove', 'north'], env, 1, /north is not a peer/],
  ];
  for (const [args, environment, code, message] of cases) {
    const result = await runCli(args, environment);
    assert.deepEqual([result.code, message.test(result.err)], [code, true], `${args.join(' ')}: ${result.code} ${result.err}`);
    assert.equal(result.out, '');
  }
  api.failure = new MeshError('PEER_UNREACHABLE', 'the inviter at 127.0.0.1:1 was not reached', { retryable: true });
  const unreached = await runCli(['peer', 'join', 'isthmus-peer-v1.0123456789'], env);
  assert.equal(unreached.code, 3, unreached.err);
  assert.match(unreached.err, /was not reached/);
  await server.dispose();
  const gone = await runCli(['status'], env);
  assert.equal(gone.code, 3);
  assert.match(gone.err, /cannot be reached: .*ECONNREFUSED.*\n {2}next: check that isthmus control runs there/);
});

test('a server that is no control plane of the mesh is never told the credential', async (t) => {
  const { env, dir, pki, source, audit } = await setUpWithOtherRoot(t);
  const wrongRoot = await runCli(['status'], { ...env, ISTHMUS_CA_FILE: join(dir, 'other.pem') });
  assert.deepEqual([wrongRoot.code, /could not be verified/.test(wrongRoot.err)], [4, true], wrongRoot.err);
  // A workload's certificate of the same mesh is not a control plane's.
  source.set(pki.svid('east', 'default', 'orders'));
  const workload = await runCli(['status'], env);
  assert.deepEqual(
    [workload.code, /expected spiffe:\/\/mesh\.test\/ns\/isthmus-system\/sa\/control/.test(workload.err)],
    [4, true],
    workload.err,
  );
  assert.deepEqual(await audit(), []);
});

async function setUpWithOtherRoot(t: TestContext) {
  const admin = await setUp(t);
  await writeFile(join(admin.dir, 'other.pem'), certificatesToPem([new MeshPki('mesh.test').root.certificate.der]));
  return { ...admin, audit: admin.auditLines };
}

test('a context file gives what flags and environment do not, and must be for its owner alone', async (t) => {
  const { dir, port, caFile, secret } = await setUp(t);
  const config = join(dir, 'config', 'isthmus');
  await mkdir(config, { recursive: true });
  const file = join(config, 'context.yaml');
  const context = (cluster: string) => `{api: '127.0.0.1:${port}', cluster: ${cluster}, caFile: ${caFile}, credential: ${secret}}`;
  await writeFile(file, `current: a\ncontexts:\n  a: ${context('east')}\n  b: ${context('west')}\n`, { mode: 0o600 });
  const env = { XDG_CONFIG_HOME: join(dir, 'config') };
  assert.equal((await runCli(['peer', 'list'], env)).code, 0);
  const otherCluster = await runCli(['peer', 'list', '--context', 'b'], env);
  assert.deepEqual([otherCluster.code, /expected west\.cluster\.mesh\.test/.test(otherCluster.err)], [4, true], otherCluster.err);
  assert.match((await runCli(['peer', 'list', '--context', 'c'], env)).err, /no context c .*\n {2}next: known contexts: a, b/);
  await chmod(file, 0o644);
  const open = await runCli(['peer', 'list'], env);
  assert.deepEqual([open.code, /chmod 600/.test(open.err)], [2, true]);
});

test('before and after a cluster has joined: the file of the roots and the stand-in certificate does for both', async (t) => {
  const admin = await setUp(t);
  const key = generateKey();
  const standIn = issueBootstrap(key, 'east.cluster.mesh.test', Date.now(), 86_400_000).der;
  await writeFile(admin.caFile, admin.rootPem + certificatesToPem([standIn]));
  assert.equal((await runCli(['peer', 'list'], admin.env)).code, 0);
  const seen: (string | undefined)[] = [];
  const server = createServer({ key: keyToPem(key), cert: certificatesToPem([standIn]) }, (request, response) => {
    seen.push(request.headers.authorization);
    response.end('{"peers":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  const api = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const before = await runCli(['peer', 'list', '--api', api], admin.env);
  assert.deepEqual([before.code, before.out, before.err], [0, 'none\n', '']);
  await writeFile(admin.caFile, admin.rootPem);
  assert.equal((await runCli(['peer', 'list', '--api', api], admin.env)).code, 4);
  assert.deepEqual(seen, [`Bearer ${admin.secret}`]);
});
