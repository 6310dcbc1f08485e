import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorityText } from '../../../cli/text/authority-text.ts';
import { lateRenewals } from '../../../control/assemble/late-renewals.ts';
import type { AuthorityStatus, Instance } from '../../../core/admin/index.ts';

const hour = 3_600_000;
const now = Date.parse('2026-01-31T12:00:00Z');
const spiffeId = 'spiffe://mesh.test/ns/shop/sa/orders';

/** Whose SVID ends in `left` ms. */
function instance(id: string, left: number | undefined, more: Partial<Instance> = {}): Instance {
  return {
    id,
    role: 'workload',
    namespace: 'shop',
    spiffeId,
    network: 'dc',
    addresses: [],
    services: [],
    generation: 1,
    stage: 'reachable',
    stages: [],
    ageMs: 1,
    grant: 'g',
    attestor: 'join-token',
    ...(left === undefined ? {} : { notAfter: new Date(now + left).toISOString() }),
    ...more,
  };
}

test('late is who should have renewed: not who just did, nor who is due, was revoked or never had one', () => {
  const all = [
    instance('fresh', 24 * hour),
    instance('due', 11 * hour),
    instance('late', 10 * hour),
    instance('silent', 9 * hour, { stage: 'expired' }),
    instance('never-registered', 2 * hour, { generation: 0, stage: 'attested' }),
    instance('ended', -hour),
    instance('revoked', 1 * hour, { stage: 'revoked' }),
    instance('none', undefined),
  ];
  assert.deepEqual(
    lateRenewals(all, 24 * hour, now).map((each) => [each.instance, each.ended, each.agent]),
    [
      ['ended', true, 'heard'],
      ['never-registered', false, 'unregistered'],
      ['silent', false, 'silent'],
      ['late', false, 'heard'],
    ],
  );
  assert.deepEqual(lateRenewals(all.slice(0, 2), 24 * hour, now), []);
});

test('isthmus ca status names them with what to look at, and counts what would hide the rest', () => {
  const status: AuthorityStatus = {
    cluster: 'east',
    trustDomain: 'mesh.test',
    ready: true,
    needsSignature: false,
    version: 0,
    signingRoot: '',
    certificates: [],
    jwtKeys: [],
    holding: [],
    late: lateRenewals(
      [instance('vm-1', hour), instance('vm-2', 2 * hour, { stage: 'expired' }), instance('vm-3', 3 * hour, { generation: 0 })],
      24 * hour,
      now,
    ),
    rotation: null,
  };
  const lines = authorityText(status).split('\n').slice(1);
  assert.match(
    lines[0] ?? '',
    /^ {2}renews late +vm-1 spiffe:\S+ until 2026-01-31T13:00:00\.000Z: its agent is heard: see isthmus vm status/,
  );
  assert.match(lines[1] ?? '', /vm-2 .*: its agent is silent$/);
  assert.match(lines[2] ?? '', /vm-3 .*: it attested and has never registered$/);
  const many = Array.from({ length: 50 }, (_, i) => instance(`vm-${i}`, hour));
  assert.match(authorityText({ ...status, late: lateRenewals(many, 24 * hour, now) }), / {2}renews late +30 more$/);
});
