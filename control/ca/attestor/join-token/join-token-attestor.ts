import { createHash, timingSafeEqual } from 'node:crypto';
import { inCidrs } from '../../../../core/cidr.ts';
import { parseJoinToken } from '../../../../core/identity/index.ts';
import { clusterSan, formatSpiffeId } from '../../../../core/model/index.ts';
import { sha256Hex } from '../../../../core/pki/index.ts';
import type { Store } from '../../../../core/store.ts';
import type { RefusalReason } from '../../../telemetry/index.ts';
import { ledgerKeys } from '../../ledger.ts';
import { getRecord, putRecord, type Stored } from '../../record.ts';
import type { AttestationRequest, AttestationVerdict, Attestor, Claims, Grant } from '../contract.ts';
import { type TokenRecord, type TokenUse, tokenKeys } from './record.ts';

type Kind = 'unproven' | 'forbidden' | 'limited';

const refuse = (kind: Kind, why: RefusalReason, reason: string): AttestationVerdict => ({ ok: false, kind, why, reason });

/**
 * A token binds to the key that redeems it: the same key may redeem it again (a reply that was lost burns nothing), another key
 * takes another of its uses, or is refused when there is none left.
 */
export class JoinTokenAttestor implements Attestor {
  readonly name = 'join-token';
  readonly #store: Store;
  readonly #cluster: string;
  readonly #trustDomain: string;
  /** By token: the last of those that redeem it here. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(store: Store, cluster: string, trustDomain: string) {
    this.#store = store;
    this.#cluster = cluster;
    this.#trustDomain = trustDomain;
  }

  async attest(request: AttestationRequest, now: number): Promise<AttestationVerdict> {
    const token = parseJoinToken(Buffer.from(request.proof).toString('utf8'));
    if (!token.ok) return refuse('unproven', 'malformed', 'not a join token');
    const { id, secret } = token.value;
    // A fleet redeems one token at once, and each use changes its record: who waits here fails no compare there.
    return this.#inTurn(id, () => this.#judge(id, secret, request, now));
  }

  async #judge(id: string, secret: string, request: AttestationRequest, now: number): Promise<AttestationVerdict> {
    for (let attempt = 0; attempt < 8; attempt++) {
      const record = await getRecord<TokenRecord>(this.#store, tokenKeys.token(id));
      if (record === undefined) return refuse('unproven', 'unknown-token', `token ${id} does not exist`);
      const fault = this.#fault(record.value, secret, request);
      if (fault !== undefined) return fault;
      const verdict = await this.#redeem(record, request, now);
      if (verdict !== undefined) return verdict;
    }
    return refuse('limited', 'limited', `token ${id} is redeemed by many at once`);
  }

  #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(work);
    const over = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(id, over);
    void over.then(() => {
      if (this.#turns.get(id) === over) this.#turns.delete(id);
    });
    return turn;
  }

  #fault(record: TokenRecord, secret: string, request: AttestationRequest): AttestationVerdict | undefined {
    const given = createHash('sha256').update(secret).digest();
    if (!timingSafeEqual(given, Buffer.from(record.secretSha256, 'hex')))
      return refuse('unproven', 'wrong-secret', `token ${record.id}: the secret is wrong`);
    if (record.revoked) return refuse('unproven', 'revoked', `token ${record.id} was revoked`);
    if (record.sources.length > 0 && !inCidrs(request.source, record.sources)) {
      return refuse('forbidden', 'wrong-source', `token ${record.id} may not be used from ${request.source}`);
    }
    const foreign = this.#foreignName(record.claims, request);
    return foreign === undefined ? undefined : refuse('forbidden', 'wrong-name', `token ${record.id} is not for ${foreign}`);
  }

  #foreignName(claims: Claims, request: AttestationRequest): string | undefined {
    const { namespace, serviceAccount } = claims;
    const own = formatSpiffeId({ trustDomain: this.#trustDomain, namespace, serviceAccount });
    const san = clusterSan(this.#cluster, this.#trustDomain);
    return request.requestedUris.find((uri) => uri !== own) ?? request.requestedDns.find((dns) => dns !== san);
  }

  /** Undefined: somebody else changed the record meanwhile. */
  async #redeem(record: Stored<TokenRecord>, request: AttestationRequest, now: number): Promise<AttestationVerdict | undefined> {
    const token = record.value;
    const useKey = tokenKeys.use(token.id, sha256Hex(request.spki));
    const use = await getRecord<TokenUse>(this.#store, useKey);
    if (use !== undefined) return this.#again(token, use.value, request, now);
    if ((await this.#store.get(tokenKeys.shutOut(token.id, request.instance))) !== undefined)
      return refuse('unproven', 'revoked', `instance ${request.instance} of token ${token.id} was revoked`);
    if (now >= token.expiresAt) return refuse('unproven', 'expired', `token ${token.id} has expired`);
    if (token.uses >= token.maxUses)
      return refuse(
        'unproven',
        'used-up',
        `token ${token.id} was redeemed by another key already (${token.uses} of ${token.maxUses} uses)`,
      );
    const grant: Grant = {
      id: sha256Hex(useKey).slice(0, 32),
      attestor: this.name,
      proof: token.id,
      claims: token.claims,
      instance: request.instance,
      createdAt: now,
      lastNotAfter: 0,
      revoked: false,
    };
    const { succeeded } = await this.#store.txn({
      if: [
        { key: tokenKeys.token(token.id), modRevision: record.modRevision },
        { key: useKey, modRevision: 0 },
      ],
      then: [
        putRecord(tokenKeys.token(token.id), { ...token, uses: token.uses + 1 } satisfies TokenRecord),
        putRecord(useKey, { grant: grant.id, instance: request.instance, at: now } satisfies TokenUse),
        putRecord(ledgerKeys.grant(grant.id), grant),
      ],
    });
    return succeeded ? { ok: true, grant } : undefined;
  }

  async #again(token: TokenRecord, use: TokenUse, request: AttestationRequest, now: number): Promise<AttestationVerdict> {
    const grant = await getRecord<Grant>(this.#store, ledgerKeys.grant(use.grant));
    if (grant === undefined || grant.value.revoked)
      return refuse('unproven', 'revoked', `the grant of token ${token.id} to this key was revoked`);
    if (use.instance !== request.instance)
      return refuse('forbidden', 'wrong-instance', `token ${token.id} was redeemed as instance ${use.instance}, not ${request.instance}`);
    const until = Math.max(token.expiresAt, token.rejoinMs === 0 ? 0 : grant.value.lastNotAfter + token.rejoinMs);
    if (now >= until) return refuse('unproven', 'expired', `token ${token.id} has expired, for this key too`);
    return { ok: true, grant: grant.value };
  }
}
