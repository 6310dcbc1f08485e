import { randomBytes } from 'node:crypto';
import { isCidr } from '../../../../core/cidr.ts';
import { MeshError } from '../../../../core/errors.ts';
import { sha256Hex } from '../../../../core/pki/index.ts';
import type { Store } from '../../../../core/store.ts';
import { accept, type Checked, reject, type Violation } from '../../../../core/validate.ts';
import type { Ledger } from '../../ledger.ts';
import { decodeRecord, getRecord, putRecord } from '../../record.ts';
import { claimFaults } from '../check-claims.ts';
import type { Claims, Grant } from '../contract.ts';
import { type TokenRecord, type TokenUse, tokenKeys, tokensPrefix, usesPrefix } from './record.ts';

const day = 86_400_000;
/** JoinTokenAttestor's name. */
const joinToken = 'join-token';

export interface TokenRequest {
  readonly claims: Claims;
  /** Until when a new key may redeem it; default 1 h, at most 30 d. */
  readonly ttlMs?: number;
  /** Default 1, at most 10,000. */
  readonly maxUses?: number;
  readonly sources?: readonly string[];
  /** Default 7 d; see TokenRecord. */
  readonly rejoinMs?: number;
  readonly note?: string;
}

/** The secret is in the answer alone, and nowhere after. */
export interface CreatedToken {
  readonly id: string;
  readonly secret: string;
  readonly expiresAt: number;
}

/** Durable when it resolves. */
export async function createToken(store: Store, request: TokenRequest, now: number): Promise<Checked<CreatedToken>> {
  const violations = faults(request);
  if (violations.length > 0) return reject(violations);
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  const record: TokenRecord = {
    id,
    secretSha256: sha256Hex(secret),
    claims: request.claims,
    createdAt: now,
    expiresAt: now + (request.ttlMs ?? day / 24),
    maxUses: request.maxUses ?? 1,
    uses: 0,
    sources: request.sources ?? [],
    rejoinMs: request.rejoinMs ?? 7 * day,
    revoked: false,
    note: request.note ?? '',
  };
  const { succeeded } = await store.txn({
    if: [{ key: tokenKeys.token(id), modRevision: 0 }],
    then: [putRecord(tokenKeys.token(id), record)],
  });
  if (!succeeded) throw new MeshError('CONFLICT', 'a token of that id exists', { retryable: true });
  return accept({ id, secret, expiresAt: record.expiresAt });
}

export async function listTokens(store: Store): Promise<readonly TokenRecord[]> {
  return (await store.list(tokensPrefix)).entries.map((entry) => decodeRecord<TokenRecord>(entry));
}

/** Ends a token and everything granted on it; returns those grants, whose registrations are to go too. Undefined: there is no such token. */
export async function revokeToken(store: Store, ledger: Ledger, id: string, now: number): Promise<readonly string[] | undefined> {
  for (let attempt = 0; attempt < 8; attempt++) {
    const record = await getRecord<TokenRecord>(store, tokenKeys.token(id));
    if (record === undefined) return undefined;
    const { succeeded } = await store.txn({
      if: [{ key: tokenKeys.token(id), modRevision: record.modRevision }],
      then: [putRecord(tokenKeys.token(id), { ...record.value, revoked: true } satisfies TokenRecord)],
    });
    if (!succeeded) continue;
    const { entries } = await store.list(usesPrefix(id));
    const grants = entries.map((entry) => decodeRecord<TokenUse>(entry).grant);
    for (const grant of grants) await ledger.revokeGrant(grant, now);
    return grants;
  }
  throw new MeshError('CONFLICT', `token ${id} changed again and again`, { retryable: true });
}

/** What was granted on a token. Undefined: there is no such token. */
export async function grantsOfToken(store: Store, id: string): Promise<readonly string[] | undefined> {
  if ((await getRecord<TokenRecord>(store, tokenKeys.token(id))) === undefined) return undefined;
  return (await store.list(usesPrefix(id))).entries.map((entry) => decodeRecord<TokenUse>(entry).grant);
}

/** For a grant that is revoked: no other key gets that instance again by the token that it was granted on. Idempotent. */
export async function shutOut(store: Store, grant: Grant): Promise<void> {
  if (grant.attestor !== joinToken) return;
  await store.txn({ if: [], then: [putRecord(tokenKeys.shutOut(grant.proof, grant.instance), { grant: grant.id })] });
}

/** Ids of the tokens of these grants that another key may still redeem. */
export async function openTokensOf(store: Store, grants: readonly Grant[], now: number): Promise<readonly string[]> {
  const ids = new Set(grants.filter((grant) => grant.attestor === joinToken).map((grant) => grant.proof));
  const tokens = await Promise.all([...ids].map((id) => getRecord<TokenRecord>(store, tokenKeys.token(id))));
  return tokens.flatMap((token) => {
    if (token === undefined || token.value.revoked || token.value.expiresAt <= now) return [];
    return token.value.uses < token.value.maxUses ? [token.value.id] : [];
  });
}

/**
 * After a restore from backup, when nobody knows which of them were redeemed since: no new key gets anything on a token of before. Machines
 * whose key is bound already go on. Returns how many tokens that ended.
 */
export async function voidOutstandingTokens(store: Store, now: number): Promise<number> {
  const open = (await listTokens(store)).filter((token) => !token.revoked && token.expiresAt > now);
  for (const token of open)
    await store.txn({ if: [], then: [putRecord(tokenKeys.token(token.id), { ...token, expiresAt: now } satisfies TokenRecord)] });
  return open.length;
}

function faults(request: TokenRequest): Violation[] {
  const found = claimFaults(request.claims);
  const must = (held: boolean, path: string, message: string) => {
    if (!held) found.push({ path, message });
  };
  for (const [index, cidr] of (request.sources ?? []).entries()) must(isCidr(cidr), `sources[${index}]`, 'must be an IP or CIDR');
  must(within(request.ttlMs ?? 1_000, 1_000, 30 * day), 'ttl', 'must be 1 s to 30 d');
  must(within(request.rejoinMs ?? 0, 0, 365 * day), 'rejoin', 'must be 0 to 365 d');
  must(within(request.maxUses ?? 1, 1, 10_000) && Number.isInteger(request.maxUses ?? 1), 'maxUses', 'must be 1 to 10000');
  return found;
}

const within = (value: number, low: number, high: number) => Number.isFinite(value) && value >= low && value <= high;
