import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { status as grpcStatus, Metadata, type ServiceError } from '@grpc/grpc-js';
import { Registry } from 'prom-client';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import type { X509SVIDResponse } from '../../../core/xds/gen/spiffe/workload/workload.ts';
import { startWorkloadApi } from '../../../sidecar-vm/workload-api/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { cannotBeOthers } from '../../support/other-user.ts';
import { until } from '../../support/until.ts';
import { askAs } from '../../support/workload-callers.ts';
import { Said, securityHeader, workloadScene } from '../../support/workload-scene.ts';

const me = process.getuid?.() ?? 0;

async function idOf(said: Said<X509SVIDResponse>): Promise<string | undefined> {
  const first = await until('an answer', () => said.all[0] ?? said.error);
  if (!('svids' in first)) throw first;
  return first.svids[0]?.spiffeId;
}

test('the SVID with its key and bundle at once, and again after each renewal; equal news are no news', async (t) => {
  const { client, sources, pki, setBundles } = await workloadScene(t, { orders: { uid: [me] } });
  const said = new Said(t, client().fetchX509Svid({}, securityHeader()));
  const bundlesSaid = new Said(t, client().fetchX509Bundles({}, securityHeader()));
  assert.equal(await idOf(said), 'spiffe://mesh.test/ns/shop/sa/orders');
  const [svid] = said.all[0]?.svids ?? [];
  assert.ok(svid !== undefined);
  const leaf = new X509Certificate(svid.x509Svid);
  assert.ok(leaf.checkPrivateKey(createPrivateKey({ key: svid.x509SvidKey, format: 'der', type: 'pkcs8' })));
  assert.deepEqual(svid.bundle, pki.root.certificate.der);
  assert.deepEqual([svid.hint, said.all[0]?.federatedBundles, said.all[0]?.crl], ['the orders', {}, []]);
  await until('the first bundles', () => bundlesSaid.all.length === 1);
  // The same again says nothing.
  const source = sources.get('orders');
  source?.set(source.current());
  const renewed = pki.svid('east', 'shop', 'orders');
  source?.set(renewed);
  await until('the renewed one', () => said.all.length === 2);
  assert.deepEqual(said.all[1]?.svids[0]?.x509Svid, Buffer.concat(renewed.chainDer));
  const foreign = new MeshPki('partner.test');
  setBundles([pki.bundle, foreign.bundle, { ...foreign.bundle, trustDomain: 'empty.test', roots: [] }]);
  await until('the foreign bundle', () => said.all.length === 3 && bundlesSaid.all.length === 2);
  assert.deepEqual(said.all[2]?.federatedBundles, { 'spiffe://partner.test': foreign.root.certificate.der });
  assert.deepEqual(Object.keys(bundlesSaid.all[1]?.bundles ?? {}), ['spiffe://mesh.test', 'spiffe://partner.test']);
});

test('without the security header, and without an identity, nothing is said and both are counted', async (t) => {
  const { client, metrics } = await workloadScene(t, { orders: { uid: [me + 1] } });
  const headers = [new Metadata(), securityHeader(), securityHeader()];
  headers[1]?.add('workload.spiffe.io', 'true');
  const codes: (number | undefined)[] = [];
  for (const header of headers) {
    const calls = [new Said<unknown>(t, client().fetchX509Svid({}, header)), new Said<unknown>(t, client().fetchX509Bundles({}, header))];
    for (const said of calls) {
      codes.push((await until('a refusal', () => said.error)).code);
      assert.equal(said.all.length, 0);
    }
  }
  const { INVALID_ARGUMENT, PERMISSION_DENIED } = grpcStatus;
  assert.deepEqual(codes, [INVALID_ARGUMENT, INVALID_ARGUMENT, INVALID_ARGUMENT, INVALID_ARGUMENT, PERMISSION_DENIED, PERMISSION_DENIED]);
  const text = await metrics.metrics();
  assert.match(text, /isthmus_workload_api_refusals_total\{reason="no-header"\} 4/);
  assert.match(text, /isthmus_workload_api_refusals_total\{reason="no-identity"\} 2/);
});

test('an SVID that has ended is not handed out', async (t) => {
  const { client, sources, pki } = await workloadScene(t, { orders: {} });
  const said = new Said(t, client().fetchX509Svid({}, securityHeader()));
  await idOf(said);
  sources.get('orders')?.set(pki.svid('east', 'shop', 'orders', { now: Date.now() - 7_200_000, lifetimeMs: 3_600_000 }));
  const error = await until('the end', () => said.error);
  assert.equal(error.code, grpcStatus.UNAVAILABLE);
});

test('a caller that does not read gets the newest when it reads again', async (t) => {
  const { client, sources, pki } = await workloadScene(t, { orders: {} });
  const said = new Said(t, client().fetchX509Svid({}, securityHeader()));
  await idOf(said);
  said.pause();
  let last = pki.svid('east', 'shop', 'orders');
  for (let count = 0; count < 400; count++) {
    sources.get('orders')?.set(last);
    last = pki.svid('east', 'shop', 'orders');
  }
  sources.get('orders')?.set(last);
  said.resume();
  await until('the newest', () => said.all.at(-1)?.svids[0]?.x509Svid.equals(Buffer.concat(last.chainDer)));
});

test('streams and connections of one user are limited, those of silence end, and others are served all the same', async (t) => {
  const { client, api } = await workloadScene(t, { orders: {} }, { streamsPerUid: 3, connectionsPerUid: 4, silenceMs: 2_000 });
  const one = client();
  const open = [1, 2, 3].map(() => new Said(t, one.fetchX509Svid({}, securityHeader())));
  for (const said of open) await idOf(said);
  const other = new Said(t, client().fetchX509Svid({}, securityHeader()));
  const error: ServiceError = await until('a refusal', () => other.error);
  assert.equal(error.code, grpcStatus.RESOURCE_EXHAUSTED);
  const silent = connect(api.socket);
  silent.on('error', () => {});
  silent.resume();
  await once(silent, 'close');
  const many = [1, 2, 3, 4].map(() => connect(api.socket));
  for (const socket of many) {
    socket.on('error', () => {});
    socket.resume();
    t.after(() => socket.destroy());
  }
  await Promise.race(many.map((socket) => once(socket, 'close')));
  assert.equal(open[0]?.error, undefined);
});

test('the socket is open to everybody; what a killed agent left is replaced, what is served or no socket is left alone', async (t) => {
  const { api, pki } = await workloadScene(t, { orders: {} });
  assert.equal((await stat(api.socket)).mode & 0o777, 0o777);
  assert.equal((await stat(dirname(api.socket))).mode & 0o777, 0o755);
  const trust = { bundles: () => [pki.bundle], subscribe: () => () => undefined };
  const again = (socket: string) =>
    startWorkloadApi({ socket, identities: [], trust, metrics: new Registry(), clock: systemClock, log: silentLog });
  await assert.rejects(again(api.socket), { code: 'PORT_TAKEN' });
  await stat(api.socket);
  const file = join(await temporaryDir(t), 'file');
  await writeFile(file, 'mine');
  await assert.rejects(again(file), { code: 'PORT_TAKEN' });
  await assert.rejects(again(`/tmp/${'x'.repeat(120)}`), { code: 'CONFIG_INVALID' });
  await api.close();
  await assert.rejects(stat(api.socket));
  const second = await again(api.socket);
  await second.close();
});

test('callers of several users at once get their own and nothing else', { skip: cannotBeOthers }, async (t) => {
  const users = [61_001, 61_002, 61_003, 61_004];
  const owned = Object.fromEntries(users.slice(0, 3).map((uid) => [`app-${uid}`, { uid: [uid] }]));
  const { api } = await workloadScene(t, owned);
  const rounds = await Promise.all([1, 2, 3].flatMap(() => users.map((uid) => askAs(t, uid, api.socket, 8))));
  for (const { uid, answers } of rounds) {
    const expected = uid === 61_004 ? 'error 7' : `spiffe://mesh.test/ns/shop/sa/app-${uid}`;
    assert.deepEqual(
      answers,
      Array.from({ length: 8 }, () => expected),
    );
  }
});
