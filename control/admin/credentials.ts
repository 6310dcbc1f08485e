import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import type { Store } from '../../core/store.ts';

/** Store key of the first admin's credential; its subject in AccessPolicies is `credential:first-admin`. */
const key = 'admin/credential/first-admin';
const lifetimeMs = 24 * 3_600_000;
const form = /^isthmus-admin\.([A-Za-z0-9_-]{43})$/;

export interface FirstAdminCredential {
  /** Shown once; only its hash is kept. */
  readonly secret: string;
  /** Unix ms, 24 h after it was made. */
  readonly expiresAt: number;
}

/**
 * Makes the credential that opens the API before any AccessPolicy does. Rejects with CONFLICT while an earlier one is
 * valid, unless `replace` is set; then the earlier one ends. `random`: 32 bytes.
 */
export async function createFirstAdmin(
  store: Store,
  options: { readonly clock: Clock; readonly random: (size: number) => Uint8Array; readonly replace: boolean },
): Promise<FirstAdminCredential> {
  const existing = await store.get(key);
  const now = options.clock.now();
  if (existing !== undefined && !options.replace && (parse(existing.value)?.expiresAt ?? 0) > now) {
    throw new MeshError(
      'CONFLICT',
      'a first-admin credential exists and has not expired; it cannot be shown again: use --replace to end it and get a new one',
    );
  }
  const secret = `isthmus-admin.${Buffer.from(options.random(32)).toString('base64url')}`;
  const expiresAt = now + lifetimeMs;
  const value = Buffer.from(JSON.stringify({ hash: hashOf(secret).toString('hex'), expiresAt }));
  const result = await store.txn({ if: [{ key, modRevision: existing?.modRevision ?? 0 }], then: [{ op: 'put', key, value }] });
  if (!result.succeeded) throw new MeshError('CONFLICT', 'somebody else made a first-admin credential at the same moment');
  return { secret, expiresAt };
}

/** Whether the text is the first admin's credential and valid at `now` (Unix ms). */
export async function isFirstAdmin(store: Store, text: string, now: number): Promise<boolean> {
  if (!form.test(text)) return false;
  const stored = await store.get(key);
  const expected = stored === undefined ? undefined : parse(stored.value);
  if (expected === undefined || now >= expected.expiresAt) return false;
  const hash = Buffer.from(expected.hash, 'hex');
  const given = hashOf(text);
  return hash.length === given.length && timingSafeEqual(hash, given);
}

/** The secret has 256 random bits: a slow hash would add nothing. */
function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function parse(value: Uint8Array): { hash: string; expiresAt: number } | undefined {
  const { hash, expiresAt } = JSON.parse(Buffer.from(value).toString('utf8')) as { hash?: unknown; expiresAt?: unknown };
  return typeof hash === 'string' && typeof expiresAt === 'number' ? { hash, expiresAt } : undefined;
}
