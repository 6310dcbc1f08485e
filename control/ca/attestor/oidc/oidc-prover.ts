import type { OidcAttestor } from '../../../../core/config/index.ts';
import type { AttestationRequest } from '../contract.ts';
import { fetchJson, KeySet, verifyJwt } from '../jwt/index.ts';
import type { ProofVerdict, Prover } from '../prover.ts';
import { audiencesOf, type ProverContext } from '../prover-context.ts';

/** ID tokens and the like of one issuer (OpenID Connect Core §3.1.3.7, Discovery §4). The rules see the claims as they are. */
export class OidcProver implements Prover {
  readonly #spec: OidcAttestor;
  readonly #audiences: readonly string[];
  readonly #keys: KeySet;

  constructor(spec: OidcAttestor, context: ProverContext) {
    this.#spec = spec;
    this.#audiences = audiencesOf(spec, context);
    const { store, clock, log } = context;
    this.#keys = new KeySet({
      issuer: `${spec.issuer} ${spec.jwksUrl ?? ''}`.trim(),
      fetch: async () => fetchJson(spec.jwksUrl ?? (await discover(spec)), spec.caFile),
      keepMs: spec.keepKeysMs,
      store,
      clock,
      log,
    });
  }

  async prove({ proof }: AttestationRequest, now: number): Promise<ProofVerdict> {
    const { issuer, algorithms, maxLifetimeMs } = this.#spec;
    const rules = { issuerName: issuer, issuer, audiences: this.#audiences, algorithms, maxLifetimeMs, required: ['sub'] };
    const verdict = await verifyJwt(proof, this.#keys, rules, now);
    if (!verdict.ok) return verdict;
    const { claims, once, onceUntil } = verdict.jwt;
    return { ok: true, proven: { claims, subject: `${issuer} ${String(claims.sub)}`.slice(0, 512), once, onceUntil } };
  }

  async close(): Promise<void> {}
}

/** Where the issuer says its keys are. What it says of itself must be its name, or it speaks for another. */
async function discover({ issuer, caFile }: OidcAttestor): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const { issuer: said, jwks_uri: keys } = ((await fetchJson(url, caFile)) ?? {}) as { issuer?: unknown; jwks_uri?: unknown };
  if (said !== issuer) throw new Error(`${url} is of another issuer`);
  if (typeof keys !== 'string' || !URL.canParse(keys)) throw new Error(`${url} names no jwks_uri`);
  if (new URL(keys).protocol !== 'https:' && new URL(keys).origin !== new URL(issuer).origin)
    throw new Error(`${url} names a jwks_uri that is not https`);
  return keys;
}
