import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { clusterSan, formatSpiffeId, type SpiffeId } from '../../core/model/index.ts';
import { parseCsr } from '../../core/pki/index.ts';
import type { Attestor, Grant } from './attestor/contract.ts';
import type { Authority } from './authority.ts';
import type { Ledger } from './ledger.ts';

export interface IssuanceOptions {
  readonly authority: Authority;
  readonly ledger: Ledger;
  readonly attestors: readonly Attestor[];
  readonly svidTtlMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface IssuedSvid {
  /** Leaf, intermediate. */
  readonly chain: readonly Buffer[];
  readonly spiffeId: SpiffeId;
}

export interface AttestInput {
  readonly attestor: string;
  readonly proof: Uint8Array;
  readonly csr: Uint8Array;
  readonly instance: string;
  /** The IP that asks. */
  readonly source: string;
}

const instanceForm = /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,126}[a-zA-Z0-9])?$/;

/**
 * From a proof, or an SVID, to the next SVID. Refusals are MeshErrors whose message may be sent: IDENTITY_INVALID for a proof that does not
 * hold, PERMISSION_DENIED for one that holds for something else, CONFIG_INVALID for a bad request, LIMIT_EXCEEDED. Why a proof did not hold
 * is logged, never sent.
 */
export class Issuance {
  readonly #options: IssuanceOptions;

  constructor(options: IssuanceOptions) {
    this.#options = options;
  }

  async attest(input: AttestInput): Promise<IssuedSvid> {
    const { attestors, clock, log } = this.#options;
    const request = this.#request(input.csr);
    if (!instanceForm.test(input.instance))
      throw new MeshError('CONFIG_INVALID', 'instance must be 1-128 letters, digits, dots, dashes and underscores');
    const attestor = attestors.find((each) => each.name === input.attestor);
    if (attestor === undefined) throw new MeshError('IDENTITY_INVALID', 'no such attestor');
    const { proof, instance, source } = input;
    const { spki, requestedUris, requestedDns } = request;
    const verdict = await attestor.attest({ proof, spki, instance, source, requestedUris, requestedDns }, clock.now());
    if (verdict.ok) return this.#issue(verdict.grant, request.spki);
    log.warn({ attestor: attestor.name, source, instance: input.instance, reason: verdict.reason }, 'attestation refused');
    if (verdict.kind === 'limited') throw new MeshError('LIMIT_EXCEEDED', 'too many at once: try again', { retryable: true });
    if (verdict.kind === 'forbidden') throw new MeshError('PERMISSION_DENIED', 'the proof is not for this identity, instance or address');
    throw new MeshError('IDENTITY_INVALID', 'the proof does not hold: it may be expired, used, revoked or wrong');
  }

  /** The same identity for the key in `csr`. `serial` is of the SVID that the caller proved to hold. */
  async renew(caller: { readonly spiffeId: SpiffeId; readonly serial: string }, csr: Uint8Array): Promise<IssuedSvid> {
    const request = this.#request(csr);
    const grant = await this.#options.ledger.grantOfSerial(caller.serial);
    const own = formatSpiffeId(caller.spiffeId);
    if (grant === undefined || formatSpiffeId(this.#idOf(grant)) !== own) {
      this.#options.log.warn({ spiffeId: own, serial: caller.serial }, 'renewal refused: not issued here, or revoked');
      throw new MeshError('IDENTITY_INVALID', 'this SVID cannot be renewed: attest again');
    }
    const { authority } = this.#options;
    const foreign =
      request.requestedUris.find((uri) => uri !== own) ??
      request.requestedDns.find((dns) => dns !== clusterSan(authority.cluster, authority.trustDomain));
    if (foreign !== undefined) {
      this.#options.log.warn({ spiffeId: own, asked: foreign }, 'renewal refused: asks for another identity');
      throw new MeshError('PERMISSION_DENIED', 'the request asks for another identity than the one held');
    }
    return this.#issue(grant, request.spki);
  }

  #request(csr: Uint8Array) {
    const request = parseCsr(csr);
    if (request.ok) return request.value;
    throw new MeshError('CONFIG_INVALID', request.violations[0]?.message ?? 'bad request');
  }

  #idOf(grant: Grant): SpiffeId {
    return {
      trustDomain: this.#options.authority.trustDomain,
      namespace: grant.claims.namespace,
      serviceAccount: grant.claims.serviceAccount,
    };
  }

  async #issue(grant: Grant, spki: Buffer): Promise<IssuedSvid> {
    const spiffeId = this.#idOf(grant);
    const { chain, leaf } = this.#options.authority.issueSvid(spki, spiffeId, this.#options.svidTtlMs);
    await this.#options.ledger.recordIssued(grant.id, leaf.serial, leaf.notAfter);
    const { serial, notAfter } = leaf;
    this.#options.log.info(
      { spiffeId: formatSpiffeId(spiffeId), instance: grant.instance, proof: grant.proof, serial, notAfter },
      'SVID issued',
    );
    return { chain, spiffeId };
  }
}
