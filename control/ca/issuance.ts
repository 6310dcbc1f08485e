import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { clusterSan, controlServiceAccount, formatSpiffeId, type SpiffeId, systemNamespace } from '../../core/model/index.ts';
import { parseCsr } from '../../core/pki/index.ts';
import { createRefusals, type RefusalReason, type Refusals } from '../telemetry/index.ts';
import type { Attestor, Grant } from './attestor/contract.ts';
import type { Authority } from './authority.ts';
import type { Ledger } from './ledger.ts';
import type { Stored } from './record.ts';
import { idOf, refusalOf, type SvidHolder, standingGrant } from './standing-grant.ts';

export interface IssuanceOptions {
  readonly authority: Authority;
  readonly ledger: Ledger;
  /** Gone through anew at each request, so that they may change. */
  readonly attestors: Iterable<Attestor>;
  readonly svidTtlMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: logged alone. */
  readonly refusals?: Refusals;
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
  readonly #refusals: Refusals;

  constructor(options: IssuanceOptions) {
    this.#options = options;
    this.#refusals = options.refusals ?? createRefusals(options.log, undefined, options.clock);
  }

  async attest(input: AttestInput): Promise<IssuedSvid> {
    const { proof, instance, source } = input;
    const about = { attestor: input.attestor.slice(0, 128), source, instance: input.instance.slice(0, 128) };
    const refuse = (reason: RefusalReason, detail: string) => this.#refusals.refuse('attestation', reason, detail, about);
    const { spki, requestedUris, requestedDns } = this.#request(input.csr, (detail) => refuse('bad-csr', detail));
    if (!instanceForm.test(instance)) {
      refuse('malformed', 'the name of the instance is none');
      throw new MeshError('CONFIG_INVALID', 'instance must be 1-128 letters, digits, dots, dashes and underscores');
    }
    const attestor = [...this.#options.attestors].find((each) => each.name === input.attestor);
    if (attestor === undefined) {
      refuse('unknown-attestor', 'no attestor of that name is configured');
      throw new MeshError('IDENTITY_INVALID', 'no such attestor');
    }
    const request = { proof, spki, instance, source, requestedUris, requestedDns };
    const verdict = await attestor.attest(request, this.#options.clock.now());
    if (!verdict.ok) {
      refuse(verdict.why, verdict.reason);
      throw refusalOf(verdict);
    }
    const { claims } = verdict.grant;
    if (claims.namespace === systemNamespace && claims.serviceAccount === controlServiceAccount) {
      refuse('bad-grant', 'what it grants is the identity of control planes');
      throw new MeshError('PERMISSION_DENIED', 'the proof is not for this identity, instance or address');
    }
    return this.#issue(verdict.grant, spki);
  }

  /** The same identity for the key in `csr`. `serial` is of the SVID that the caller proved to hold. */
  async renew(caller: SvidHolder, csr: Uint8Array): Promise<IssuedSvid> {
    const own = formatSpiffeId(caller.spiffeId);
    const about = { spiffeId: own, serial: caller.serial };
    const refuse = (reason: RefusalReason, detail: string, more = {}) =>
      this.#refusals.refuse('renewal', reason, detail, { ...about, ...more });
    const request = this.#request(csr, (detail) => refuse('bad-csr', detail));
    const { authority } = this.#options;
    const gone = 'this SVID cannot be renewed: attest again';
    const { grant, stored } = await standingGrant({ ...this.#options, trustDomain: authority.trustDomain }, caller, gone, refuse);
    const foreign =
      request.requestedUris.find((uri) => uri !== own) ??
      request.requestedDns.find((dns) => dns !== clusterSan(authority.cluster, authority.trustDomain));
    if (foreign !== undefined) {
      refuse('wrong-name', 'asks for another identity', { asked: foreign.slice(0, 256) });
      throw new MeshError('PERMISSION_DENIED', 'the request asks for another identity than the one held');
    }
    return this.#issue(grant, request.spki, stored);
  }

  #request(csr: Uint8Array, refused: (detail: string) => void) {
    const request = parseCsr(csr);
    if (request.ok) return request.value;
    const message = request.violations[0]?.message ?? 'bad request';
    refused(message);
    throw new MeshError('CONFIG_INVALID', message);
  }

  async #issue(grant: Grant, spki: Buffer, stored?: Stored<Grant>): Promise<IssuedSvid> {
    const { authority } = this.#options;
    const spiffeId = idOf(grant, authority.trustDomain);
    const { chain, leaf, issuer } = authority.issueSvid(spki, spiffeId, this.#options.svidTtlMs);
    await this.#options.ledger.recordIssued(grant.id, leaf.serial, leaf.notAfter, issuer, stored);
    const { serial, notAfter } = leaf;
    this.#options.log.info(
      { spiffeId: formatSpiffeId(spiffeId), instance: grant.instance, proof: grant.proof, serial, notAfter },
      'SVID issued',
    );
    return { chain, spiffeId };
  }
}
