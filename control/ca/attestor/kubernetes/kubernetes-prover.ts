import { decodeJwt, type JWTPayload } from 'jose';
import type { ClaimsDocument } from '../../../../core/cel/index.ts';
import type { KubernetesAttestor } from '../../../../core/config/index.ts';
import { sha256Hex } from '../../../../core/pki/index.ts';
import type { AttestationRequest } from '../contract.ts';
import { type ProofVerdict, type Prover, refuseProof as refuse } from '../prover.ts';
import { audiencesOf, type ProverContext } from '../prover-context.ts';
import type { Review, ReviewTokens } from './contract.ts';

const maxBytes = 16 * 1024;
const toleranceMs = 60_000;

type Refused = Extract<ProofVerdict, { ok: false }>;
type Authenticated = Extract<Review, { kind: 'authenticated' }>;

/**
 * Projected service account tokens: the API server that made one says, by TokenReview, whether it holds for the audience and its pod still is there.
 * What can be read of a token that is not verified yet is good for refusing it alone, and spares the API server what is plainly wrong.
 */
export class KubernetesProver implements Prover {
  readonly #spec: KubernetesAttestor;
  readonly #audiences: readonly string[];
  readonly #reviews: ReviewTokens;

  constructor(spec: KubernetesAttestor, context: ProverContext, reviews: ReviewTokens) {
    this.#spec = spec;
    this.#audiences = audiencesOf(spec, context);
    this.#reviews = reviews;
  }

  async prove({ proof }: AttestationRequest, now: number): Promise<ProofVerdict> {
    if (proof.length > maxBytes) return refuse('unproven', 'too-large', `the token is longer than ${maxBytes} bytes`);
    const token = Buffer.from(proof).toString('latin1').trim();
    const payload = payloadOf(token);
    if (payload === undefined) return refuse('unproven', 'malformed', 'the proof is no service account token');
    const fault = this.#faultOf(payload, now);
    if (fault !== undefined) return fault;
    const review = await this.#reviews.review(token, this.#audiences);
    if (review.kind === 'unavailable')
      return refuse('unavailable', 'issuer-unavailable', `the Kubernetes API cannot be asked: ${review.reason}`);
    if (review.kind === 'refused') return refuse('unproven', 'issuer-refused', `the Kubernetes API refused the token: ${review.reason}`);
    return this.#judge(token, payload, review);
  }

  close(): Promise<void> {
    return this.#reviews.close();
  }

  #faultOf({ exp, nbf, iat, aud }: JWTPayload, now: number): Refused | undefined {
    if (exp === undefined)
      return refuse('unproven', 'missing-claim', 'the token has no exp: only projected tokens are taken, which are bound and expire');
    if (exp * 1_000 + toleranceMs <= now) return refuse('unproven', 'expired', 'the token has expired');
    if (Math.max(nbf ?? 0, iat ?? 0) * 1_000 > now + toleranceMs) return refuse('unproven', 'not-yet-valid', 'the token is not valid yet');
    const lifetime = exp * 1_000 - (iat === undefined ? now : iat * 1_000);
    if (lifetime > this.#spec.maxLifetimeMs)
      return refuse('unproven', 'too-long-lived', `the token lives ${Math.round(lifetime / 1_000)} s, longer than is accepted`);
    const audiences = [aud ?? []].flat();
    if (audiences.some((each) => this.#audiences.includes(each))) return undefined;
    return refuse('unproven', 'wrong-audience', `the token is for another audience than ${this.#audiences.join(' or ')}`);
  }

  #judge(token: string, payload: JWTPayload, review: Authenticated): ProofVerdict {
    // An API server that knows nothing of audiences says none: then nothing says for whom the token is.
    if (!review.audiences.some((each) => this.#audiences.includes(each)))
      return refuse('unproven', 'wrong-audience', `the Kubernetes API does not say that the token is for ${this.#audiences.join(' or ')}`);
    const [, namespace = '', name = ''] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(review.username) ?? [];
    if (name === '') return refuse('forbidden', 'wrong-role', 'the token is not of a service account');
    const pod = objectOf(review, 'pod');
    const once = typeof payload.jti === 'string' ? payload.jti : sha256Hex(token.slice(0, token.lastIndexOf('.')));
    const proven = {
      claims: claimsOf(review, namespace, name, pod),
      subject: `${review.username}${pod === undefined ? '' : ` pod ${pod.name}`}`,
      once: `kubernetes\0${review.uid}\0${once}`,
      onceUntil: (payload.exp ?? 0) * 1_000 + toleranceMs,
    };
    return { ok: true, proven: pod === undefined ? proven : { ...proven, machine: `kubernetes\0${pod.uid}` } };
  }
}

/** Undefined: no compact JWS over JSON. */
function payloadOf(token: string): JWTPayload | undefined {
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(token)) return undefined;
  try {
    const payload = decodeJwt(token);
    const numbers = [payload.exp, payload.nbf, payload.iat].every((each) => each === undefined || Number.isFinite(each));
    return numbers ? payload : undefined;
  } catch {
    return undefined;
  }
}

/** What the token is bound to. */
function objectOf({ extra }: Authenticated, what: 'pod' | 'node'): { readonly name: string; readonly uid: string } | undefined {
  const one = (part: string) => extra[`authentication.kubernetes.io/${what}-${part}`]?.[0];
  const [name, uid] = [one('name'), one('uid')];
  return name === undefined || uid === undefined ? undefined : { name, uid };
}

function claimsOf(review: Authenticated, namespace: string, name: string, pod: ReturnType<typeof objectOf>): ClaimsDocument {
  const node = objectOf(review, 'node');
  return {
    namespace,
    serviceAccount: { name, uid: review.uid },
    ...(pod === undefined ? {} : { pod }),
    ...(node === undefined ? {} : { node }),
    username: review.username,
    groups: review.groups,
    audiences: review.audiences,
  };
}
