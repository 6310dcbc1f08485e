import type { NomadAttestor } from '../../../../core/config/index.ts';
import type { AttestationRequest } from '../contract.ts';
import { fetchJson, KeySet, verifyJwt } from '../jwt/index.ts';
import type { ProofVerdict, Prover } from '../prover.ts';
import { audiencesOf, type ProverContext } from '../prover-context.ts';

/** Which every workload identity has. */
const required = ['sub', 'nomad_namespace', 'nomad_job_id', 'nomad_allocation_id'];

/**
 * Workload identities of Nomad: JWTs that its servers sign for each allocation (an `identity` block with this audience). The rules see the claims
 * as they are: nomad_namespace, nomad_job_id, nomad_task or nomad_service, nomad_allocation_id.
 */
export class NomadProver implements Prover {
  readonly #spec: NomadAttestor;
  readonly #audiences: readonly string[];
  readonly #keys: KeySet;

  constructor(spec: NomadAttestor, context: ProverContext) {
    this.#spec = spec;
    this.#audiences = audiencesOf(spec, context);
    const { store, clock, log } = context;
    const url = `${spec.url.replace(/\/$/, '')}/.well-known/jwks.json`;
    this.#keys = new KeySet({
      issuer: url,
      fetch: () => fetchJson(url, spec.caFile),
      keepMs: spec.keepKeysMs,
      store,
      clock,
      log,
    });
  }

  async prove({ proof }: AttestationRequest, now: number): Promise<ProofVerdict> {
    const { url, issuer, maxLifetimeMs } = this.#spec;
    const verdict = await verifyJwt(
      proof,
      this.#keys,
      {
        issuerName: url,
        audiences: this.#audiences,
        // What Nomad's keyring makes: RSA since 1.7, Ed25519 before.
        algorithms: ['RS256', 'EdDSA'],
        maxLifetimeMs,
        required,
        ...(issuer === undefined ? {} : { issuer }),
      },
      now,
    );
    if (!verdict.ok) return verdict;
    const { claims, once, onceUntil } = verdict.jwt;
    const subject = `nomad ${String(claims.sub)}`.slice(0, 512);
    const machine = `nomad\0${url}\0${String(claims['nomad_allocation_id'])}`;
    return { ok: true, proven: { claims, subject, once, onceUntil, machine } };
  }

  async close(): Promise<void> {}
}
