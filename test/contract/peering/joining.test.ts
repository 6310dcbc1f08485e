import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JoiningOptions } from '../../../control/peering/index.ts';
import { parseInviteToken } from '../../../control/peering/invite-token.ts';
import { Inviter } from '../../../control/peering/inviter.ts';
import { channelToInviter } from '../../../control/peering/join-channel.ts';
import { joinProof } from '../../../control/peering/join-proof.ts';
import { MeshError, type MeshErrorCode } from '../../../core/errors.ts';
import { createCsr, generateKey } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { peering as proto } from '../../../core/xds/index.ts';
import { JoinSite } from '../../support/join-site.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { until } from '../../support/until.ts';

const refusedWith = (code: MeshErrorCode, text: RegExp) => (error: unknown) => {
  assert.ok(error instanceof MeshError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, text);
  return true;
};
const decoded = (text: string) => {
  const token = parseInviteToken(text);
  assert.ok(token.ok);
  return token.value;
};
const peered = (a: JoinSite, b: JoinSite) =>
  until(`${a.cluster} and ${b.cluster} peer`, () =>
    [a, b].every((site) => site.peering.report().some((p) => p.state === 'connected' && [a.cluster, b.cluster].includes(p.cluster))),
  );

test('one token, one command: the joiner gets its signing certificate, both store the peer, data flows', async () => {
  const east = await JoinSite.start({ cluster: 'east', root: true });
  const west = await JoinSite.start({ cluster: 'west' });
  assert.equal(west.authority.ready, false);
  const { token } = await east.joining.invite();
  assert.deepEqual(await west.joining.join(token), { cluster: 'east', trustDomain: 'mesh.test', state: 'joined' });
  assert.equal(west.authority.ready, true);
  east.export({ 'shop/orders': [{ source: 'file/vms', instance: 'a', address: '10.1.0.1' }] });
  west.export({ 'shop/payments': [{ source: 'kubernetes/k', instance: 'p', address: '10.2.0.1' }] });
  await peered(east, west);
  await until('west sees orders', () => west.sink.seen('east')['shop/orders']?.[0] === '10.1.0.1');
  await until('east sees payments', () => east.sink.seen('west')['shop/payments']?.[0] === '10.2.0.1');
  const trusted = (site: JoinSite) => site.authority.bundle().intermediates.map((i) => i.cluster);
  await until('each knows what the other signs with', () => trusted(east).includes('west') && trusted(west).includes('east'));

  await assert.rejects(east.joining.join(token), refusedWith('CONFIG_INVALID', /as this one is/));

  // A third cluster, signed by the root as well, peers with the second, which could not sign anything.
  const north = await JoinSite.start({ cluster: 'north' });
  await north.joining.join((await east.joining.invite()).token);
  const before = north.authority.intermediate?.serial;
  assert.equal((await north.joining.join((await west.joining.invite()).token)).state, 'joined');
  assert.equal(north.authority.intermediate?.serial, before);
  await peered(west, north);

  // Who has an identity already can be dialled by an inviter as well.
  await Promise.all([north.peering.remove('west'), west.peering.remove('north')]);
  await north.joining.join((await west.joining.invite({ dial: north.address })).token);
  await peered(west, north);
  await Promise.all([east.stop(), west.stop(), north.stop()]);
});

test('an inviter that cannot be dialled dials the joiner, and either direction of dialling suffices afterwards', async () => {
  const east = await JoinSite.start({ cluster: 'east', root: true, addresses: [] });
  const west = await JoinSite.start({ cluster: 'west' });
  await assert.rejects(east.joining.invite(), refusedWith('CONFIG_INVALID', /--dial/));
  const { token } = await east.joining.invite({ dial: west.address });
  assert.deepEqual(decoded(token).addresses, []);
  assert.equal((await west.joining.join(token)).state, 'pending');
  await until('joined', () => west.authority.ready);
  await peered(east, west);
  assert.equal(east.peering.report()[0]?.dialledBy, 'us');
  await Promise.all([east.stop(), west.stop()]);
});

test('a joiner that cannot be dialled peers all the same', async () => {
  const east = await JoinSite.start({ cluster: 'east', root: true });
  const west = await JoinSite.start({ cluster: 'west', addresses: [] });
  await west.joining.join((await east.joining.invite()).token);
  await peered(east, west);
  assert.deepEqual([east.peering.report()[0]?.dialledBy, east.peering.report()[0]?.addresses], ['them', []]);
  await Promise.all([east.stop(), west.stop()]);
});

test('refused: expired, forged, for another trust domain, replayed by another joiner, a name that is taken, a joiner with a root', async () => {
  const clock = new ManualClock();
  const east = await JoinSite.start({ cluster: 'east', root: true, clock });
  const old = (await east.joining.invite({ ttlMs: 1_000 })).token;
  const { token } = await east.joining.invite();
  clock.advance(2_000);
  const west = await JoinSite.start({ cluster: 'west' });
  await assert.rejects(west.joining.join(old), refusedWith('PERMISSION_DENIED', /has expired/));
  await assert.rejects(west.joining.join(token.slice(0, -9)), refusedWith('CONFIG_INVALID', /was it cut/));
  const body = JSON.parse(Buffer.from(token, 'base64url').toString());
  const altered = (change: object) => Buffer.from(JSON.stringify({ ...body, ...change })).toString('base64url');
  await assert.rejects(
    west.joining.join(altered({ s: Buffer.alloc(32).toString('base64url') })),
    refusedWith('IDENTITY_INVALID', /forged/),
  );
  await assert.rejects(
    west.joining.join(altered({ id: '00000000-0000-0000-0000-000000000000' })),
    refusedWith('IDENTITY_INVALID', /unknown/),
  );
  await assert.rejects(west.joining.join(altered({ td: 'other.test' })), refusedWith('CONFIG_INVALID', /trust domain/));
  await assert.rejects(west.joining.join(altered({ c: 'north' })), refusedWith('IDENTITY_INVALID', /not the control plane/));
  const otherRoot = Buffer.from(new MeshPki('mesh.test').root.certificate.der).toString('base64url');
  await assert.rejects(
    west.joining.join(altered({ r: otherRoot })),
    refusedWith('IDENTITY_INVALID', /not the control plane.*UNABLE_TO_GET_ISSUER/),
  );
  assert.equal(west.authority.ready, false);
  assert.deepEqual(west.peering.report(), []);

  await west.joining.join(token);
  const other = await JoinSite.start({ cluster: 'other' });
  await assert.rejects(other.joining.join(token), refusedWith('PERMISSION_DENIED', /used already/));
  const namesake = await JoinSite.start({ cluster: 'west' });
  await assert.rejects(namesake.joining.join(token), refusedWith('PERMISSION_DENIED', /used already/));
  await assert.rejects(namesake.joining.join((await east.joining.invite()).token), refusedWith('PERMISSION_DENIED', /name west is taken/));
  const rooted = await JoinSite.start({ cluster: 'south', root: true });
  await assert.rejects(rooted.joining.join((await east.joining.invite()).token), refusedWith('CONFLICT', /root of its own/));
  for (const site of [east, west, other, namesake, rooted]) await site.stop();
});

test('another control plane at the first address of an invitation is passed over', async () => {
  const [east, west, stranger] = await Promise.all([
    JoinSite.start({ cluster: 'east', root: true }),
    JoinSite.start({ cluster: 'west' }),
    JoinSite.start({ cluster: 'stranger', root: true }),
  ]);
  const body = JSON.parse(Buffer.from((await east.joining.invite()).token, 'base64url').toString()) as { a: string[] };
  const token = Buffer.from(JSON.stringify({ ...body, a: [stranger.address, ...body.a] })).toString('base64url');
  assert.equal((await west.joining.join(token)).state, 'joined');
  await peered(east, west);
  for (const site of [east, west, stranger]) await site.stop();
});

test('a lost reply burns nothing: the same key may redeem again until expiry, over restarts of both sides', async () => {
  const east = await JoinSite.start({ cluster: 'east', root: true });
  const west = await JoinSite.start({ cluster: 'west' });
  const { token } = await east.joining.invite();
  const invite = decoded(token);
  const csr = Buffer.from(await west.authority.intermediateCsr());
  const channel = await channelToInviter(east.address, invite, Date.now);
  const ask = (key: Buffer) => {
    const request = proto.JoinRequest.create({ invite: invite.id, cluster: 'west', csr: key, addresses: [] });
    return new Promise<proto.JoinReply>((resolve, reject) => {
      const proof = joinProof(invite.secret, request, channel.serverHash());
      channel.client.join({ ...request, proof }, (error, reply) => (error === null ? resolve(reply) : reject(error)));
    });
  };
  const first = await ask(csr);
  const again = await ask(Buffer.from(await west.authority.intermediateCsr()));
  assert.ok(first.intermediate.equals(again.intermediate), 'the same certificate, not a second one');
  const stranger = createCsr(generateKey(), { dns: ['west.cluster.mesh.test'], commonName: 'west' });
  await assert.rejects(ask(Buffer.from(stranger)), /used already/);
  channel.close();
  // The joiner never got those replies; what it does now works.
  assert.equal((await west.joining.join(token)).state, 'joined');
  await peered(east, west);
  await west.stop(true);
  const back = await JoinSite.start({ cluster: 'west', dir: west.dir });
  assert.equal(back.authority.ready, true);
  await peered(east, back);
  await Promise.all([east.stop(), back.stop()]);
});

test('a join that was cut short goes on after a restart, by itself', async () => {
  const east = await JoinSite.start({ cluster: 'east', root: true });
  const { token } = await east.joining.invite();
  const invite = decoded(token);
  const dead = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(token, 'base64url').toString()), a: ['127.0.0.1:1'] })).toString(
    'base64url',
  );
  const west = await JoinSite.start({ cluster: 'west' });
  await assert.rejects(west.joining.join(dead), refusedWith('PEER_UNREACHABLE', /was not reached/));
  await west.store.txn({ if: [], then: [{ op: 'put', key: 'peering/joining', value: Buffer.from(JSON.stringify({ token })) }] });
  await west.stop(true);
  const back = await JoinSite.start({ cluster: 'west', dir: west.dir });
  await until('joined', () => back.authority.ready);
  await peered(east, back);
  assert.ok(invite.id);
  await Promise.all([east.stop(), back.stop()]);
});

test('with the root offline the peers know each other and the joiner waits for the signature', async () => {
  const east = await JoinSite.start({ cluster: 'east', root: true, rootOffline: true });
  const west = await JoinSite.start({ cluster: 'west' });
  const joined = await west.joining.join((await east.joining.invite()).token);
  assert.equal(joined.state, 'pending');
  assert.equal(west.authority.ready, false);
  assert.deepEqual([east.peering.report()[0]?.cluster, west.peering.report()[0]?.cluster], ['west', 'east']);
  await Promise.all([east.stop(), west.stop()]);
});

test('a proof for one TLS server is worth nothing at another: what a man in the middle could relay is refused', async () => {
  const east = await JoinSite.start({ cluster: 'east', root: true });
  const { token } = await east.joining.invite();
  const { id, secret } = decoded(token);
  const options: Pick<JoiningOptions, 'authority' | 'store' | 'clock'> = {
    authority: east.authority,
    store: east.store,
    clock: systemClock,
  };
  const inviter = new Inviter(options as JoiningOptions);
  const csr = Buffer.from(createCsr(generateKey(), { dns: ['west.cluster.mesh.test'], commonName: 'west' }));
  const request = proto.JoinRequest.create({ invite: id, cluster: 'west', csr, addresses: [] });
  const proof = joinProof(secret, request, Buffer.alloc(32, 1));
  await assert.rejects(inviter.redeem({ ...request, proof }, [Buffer.alloc(32, 2)]), refusedWith('IDENTITY_INVALID', /does not hold/));
  await east.stop();
});

test('a join and the loop that goes on with interrupted ones do not get into each other: each key is answered once', async () => {
  const east = await JoinSite.start({ cluster: 'east', root: true });
  // A loop that never rests is in the middle of everything that join does.
  const restless = { ...systemClock, sleep: (_ms: number, signal?: AbortSignal) => systemClock.sleep(0, signal) };
  const west = await JoinSite.start({ cluster: 'west', clock: restless });
  const { token } = await east.joining.invite();
  assert.equal((await west.joining.join(token)).state, 'joined');
  await peered(east, west);
  await Promise.all([east.stop(), west.stop()]);
});
