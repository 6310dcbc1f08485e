import { isDeepStrictEqual } from 'node:util';
import { inCidrs } from '../../../../core/cidr.ts';
import type { AttestationPolicySpec } from '../../../../core/config/index.ts';
import { clusterSan, formatSpiffeId } from '../../../../core/model/index.ts';
import { sha256Hex } from '../../../../core/pki/index.ts';
import type { Store, StoreOp } from '../../../../core/store.ts';
import { ledgerKeys } from '../../ledger.ts';
import { decodeRecord, getRecord, putRecord, type Stored } from '../../record.ts';
import type { AttestationRequest, AttestationVerdict, Attestor, Claims, Grant } from '../contract.ts';
import { type Proven, type Prover, refuseProof as refuse } from '../prover.ts';
import { type CompiledRules, compileRules } from './compile-rules.ts';
import { machinePrefix, type ProofUse, proofKeys } from './record.ts';

/** A certificate chain as JSON is the longest of them. */
const maxProofBytes = 64 * 1024;
/** Of claims that a grant keeps, to be judged again. */
const maxEvidenceBytes = 16 * 1024;

export interface PolicyAttestorOptions {
  /** NAMESPACE/NAME of the AttestationPolicy. */
  readonly name: string;
  readonly spec: AttestationPolicySpec;
  readonly prover: Prover;
  readonly store: Store;
  readonly cluster: string;
  readonly trustDomain: string;
}

/**
 * One AttestationPolicy: its prover says whether the proof holds and what it says, its rules what that is good for. A proof is bound to the first
 * key that comes with it, in the transaction that records the grant. One key has one grant for each identity.
 */
export class PolicyAttestor implements Attestor {
  readonly name: string;
  readonly #options: PolicyAttestorOptions;
  readonly #rules: CompiledRules;

  constructor(options: PolicyAttestorOptions) {
    this.name = options.name;
    this.#options = options;
    this.#rules = compileRules(options.spec, options.name.split('/')[0] ?? '');
  }

  async attest(request: AttestationRequest, now: number): Promise<AttestationVerdict> {
    const { spec, prover } = this.#options;
    if (spec.sources.length > 0 && !inCidrs(request.source, spec.sources))
      return refuse('forbidden', 'wrong-source', `${this.name} takes nothing from ${request.source}`);
    if (request.proof.length > maxProofBytes) return refuse('unproven', 'too-large', `the proof is longer than ${maxProofBytes} bytes`);
    const verdict = await prover.prove(request, now);
    if (!verdict.ok) return verdict;
    const { proven } = verdict;
    if (Buffer.byteLength(JSON.stringify(proven.claims)) > maxEvidenceBytes)
      return refuse('unproven', 'too-large', `the claims of ${proven.subject} are longer than ${maxEvidenceBytes} bytes`);
    const judged = this.#judge(proven.claims, proven.subject);
    if (!judged.ok) return judged;
    const foreign = this.#foreignName(judged.claims, request);
    if (foreign !== undefined) return refuse('forbidden', 'wrong-name', `${proven.subject} is not ${foreign}`);
    return this.#record(proven, judged.claims, request, now);
  }

  async judgeAgain(grant: Grant): Promise<AttestationVerdict> {
    const judged = this.#judge(grant.evidence ?? {}, grant.proof);
    if (!judged.ok) return judged;
    const { namespace, serviceAccount } = grant.claims;
    if (judged.claims.namespace !== namespace || judged.claims.serviceAccount !== serviceAccount)
      return refuse('forbidden', 'wrong-name', `the rules of ${this.name} give ${grant.proof} another identity now`);
    if (isDeepStrictEqual(judged.claims, grant.claims)) return { ok: true, grant };
    for (let attempt = 0; attempt < 8; attempt++) {
      const record = await getRecord<Grant>(this.#options.store, ledgerKeys.grant(grant.id));
      if (record === undefined || record.value.revoked) return refuse('unproven', 'revoked', `the grant to ${grant.proof} was revoked`);
      const next: Grant = { ...record.value, claims: judged.claims };
      const { succeeded } = await this.#options.store.txn({
        if: [{ key: ledgerKeys.grant(grant.id), modRevision: record.modRevision }],
        then: [putRecord(ledgerKeys.grant(grant.id), next)],
      });
      if (succeeded) return { ok: true, grant: next };
    }
    return refuse('limited', 'limited', `the grant to ${grant.proof} is changed by many at once`);
  }

  /** Lets go of its prover's connections. */
  close(): Promise<void> {
    return this.#options.prover.close();
  }

  #judge(claims: Proven['claims'], subject: string): { ok: true; claims: Claims } | Extract<AttestationVerdict, { ok: false }> {
    const verdict = this.#rules.judge(claims);
    if (verdict.kind === 'granted') return { ok: true, claims: verdict.claims };
    if (verdict.kind === 'none') return refuse('forbidden', 'no-rule', `no rule of ${this.name} matches ${subject}`);
    return refuse('forbidden', 'bad-grant', `rule ${verdict.rule} of ${this.name} cannot let ${subject} in: ${verdict.fault}`);
  }

  #foreignName(claims: Claims, request: AttestationRequest): string | undefined {
    const { cluster, trustDomain } = this.#options;
    const own = formatSpiffeId({ trustDomain, namespace: claims.namespace, serviceAccount: claims.serviceAccount });
    const san = clusterSan(cluster, trustDomain);
    return request.requestedUris.find((uri) => uri !== own) ?? request.requestedDns.find((dns) => dns !== san);
  }

  async #record(proven: Proven, claims: Claims, request: AttestationRequest, now: number): Promise<AttestationVerdict> {
    for (let attempt = 0; attempt < 8; attempt++) {
      const verdict = await this.#tryRecord(proven, claims, request, now);
      if (verdict !== undefined) return verdict;
    }
    return refuse('limited', 'limited', `the proof of ${proven.subject} is used by many at once`);
  }

  /** Undefined: somebody else changed one of the records meanwhile. */
  async #tryRecord(proven: Proven, claims: Claims, request: AttestationRequest, now: number): Promise<AttestationVerdict | undefined> {
    const { store } = this.#options;
    const { subject, once, onceUntil, machine } = proven;
    const { instance } = request;
    const key = sha256Hex(request.spki);
    const id = sha256Hex([this.name, claims.namespace, claims.serviceAccount, subject, instance, key].join('\0')).slice(0, 32);
    const useKey = once === undefined ? undefined : proofKeys.use(once);
    const use = useKey === undefined ? undefined : await getRecord<ProofUse>(store, useKey);
    if (use !== undefined && use.value.key !== key)
      return refuse('unproven', 'replayed', `the proof of ${subject} was used by another key already`);
    if (use !== undefined && use.value.instance !== instance)
      return refuse('forbidden', 'wrong-instance', `the proof of ${subject} was used as instance ${use.value.instance}, not ${instance}`);
    if (use === undefined && proven.firstUseBy !== undefined && now > proven.firstUseBy)
      return refuse('unproven', 'expired', `the time for a first key of ${subject} has passed`);
    const before = await getRecord<Grant>(store, ledgerKeys.grant(id));
    if (before?.value.revoked === true || (await this.#isRevoked(machine)))
      return refuse('unproven', 'revoked', `the right of ${subject} to an identity was revoked`);
    const grant: Grant = {
      id,
      attestor: this.name,
      proof: subject,
      claims,
      instance,
      createdAt: before?.value.createdAt ?? now,
      lastNotAfter: before?.value.lastNotAfter ?? 0,
      revoked: false,
      evidence: proven.claims,
    };
    const writes: StoreOp[] = [];
    if (before === undefined || !isDeepStrictEqual(before.value, grant)) writes.push(putRecord(ledgerKeys.grant(id), grant));
    if (useKey !== undefined && use === undefined)
      writes.push(putRecord(useKey, { key, instance, grant: id, until: onceUntil ?? 0 } satisfies ProofUse));
    if (machine !== undefined && before === undefined) writes.push(putRecord(proofKeys.machine(machine, id), {}));
    if (writes.length === 0) return { ok: true, grant };
    const unchanged = [
      { key: ledgerKeys.grant(id), modRevision: revisionOf(before) },
      ...(useKey === undefined ? [] : [{ key: useKey, modRevision: revisionOf(use) }]),
    ];
    const { succeeded } = await store.txn({ if: unchanged, then: writes });
    return succeeded ? { ok: true, grant } : undefined;
  }

  /** Whether any grant to that machine was. */
  async #isRevoked(machine: string | undefined): Promise<boolean> {
    if (machine === undefined) return false;
    const { store } = this.#options;
    const prefix = machinePrefix(machine);
    for (const { key } of (await store.list(prefix)).entries) {
      const entry = await store.get(ledgerKeys.grant(key.slice(prefix.length)));
      if (entry !== undefined && decodeRecord<Grant>(entry).revoked) return true;
    }
    return false;
  }
}

const revisionOf = (record: Stored<unknown> | undefined): number => record?.modRevision ?? 0;
