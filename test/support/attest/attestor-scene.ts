import { type KeyObject, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ReviewTokens } from '../../../control/ca/attestor/kubernetes/index.ts';
import { type AttestationRequest, type Attestor, createAttestor, createToken, JoinTokenAttestor } from '../../../control/ca/index.ts';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import type { Clock } from '../../../core/clock.ts';
import { type AttestationPolicySpec, type AttestationRule, type AttestorSpec, attestationAudience } from '../../../core/config/index.ts';
import { formatJoinToken, formatX509Proof } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { generateKey, spkiOf } from '../../../core/pki/index.ts';
import type { Store } from '../../../core/store.ts';
import { temporaryDir } from '../control-plane.ts';
import { ManualClock } from '../manual-clock.ts';
import { MeshPki } from '../mesh-pki.ts';
import { onEnd } from '../on-end.ts';
import { testAuthority } from './client-certificates.ts';
import { documentSigner, instanceDocument } from './instance-documents.ts';
import { startTokenIssuer, type TokenIssuer } from './token-issuer.ts';

export const audience = attestationAudience('mesh.test', 'east');
/** What a grant says in place of a text: CEL over the claims. */
export const cel = (expression: string): string => `\${${expression}}`;

const day = 86_400_000;

/** One attestor, with an issuer of what it takes. */
export interface AttestorScene {
  readonly attestor: Attestor;
  readonly store: Store;
  readonly clock: ManualClock;
  /** A proof that holds, for that key and instance; each call gives another, where the issuer makes more than one. */
  proof(key: KeyObject, instance: string): Promise<Uint8Array>;
  /** One as good, of somebody that it does not trust. */
  strange(key: KeyObject, instance: string): Promise<Uint8Array>;
}

export const rule = (more: Partial<AttestationRule['grant']> = {}, when = 'true'): AttestationRule => ({
  name: 'orders',
  when,
  grant: {
    role: 'workload',
    namespace: 'shop',
    serviceAccount: 'orders',
    services: [{ name: 'orders', ports: [8080] }],
    addresses: [],
    ...more,
  },
});

const policy = (attestor: AttestorSpec, rules: readonly AttestationRule[] = [rule()]): AttestationPolicySpec => ({
  attestor,
  sources: [],
  rules,
});

interface Ground {
  readonly dir: string;
  readonly store: Store;
  readonly clock: ManualClock;
}

async function ground(t: TestContext): Promise<Ground> {
  // Certificates that are made from now on are valid already.
  const clock = new ManualClock(Date.now() + 60_000);
  const dir = await temporaryDir(t);
  const store = await openEmbeddedStore({ dir: join(dir, 'store'), clock });
  onEnd(t, () => store.close());
  return { dir, store, clock };
}

const nobody: ReviewTokens = { review: async () => ({ kind: 'unavailable', reason: 'there is none' }), close: async () => {} };

/** Of the cluster east of mesh.test. `name`: NAMESPACE/NAME of the policy. */
export function attestorFor({ store, clock }: { store: Store; clock: Clock }, name: string, spec: AttestationPolicySpec, reviews = nobody) {
  return createAttestor(name, spec, { store, cluster: 'east', trustDomain: 'mesh.test', reviews: () => reviews, clock, log: silentLog });
}

const attestorOf = (at: Ground, spec: AttestationPolicySpec, reviews?: ReviewTokens) =>
  attestorFor(at, 'isthmus-system/test', spec, reviews);

export function requestOf(proof: Uint8Array, key: KeyObject = generateKey(), more: Partial<AttestationRequest> = {}): AttestationRequest {
  return { proof, spki: spkiOf(key), instance: 'vm-1', source: '10.0.0.7', requestedUris: [], requestedDns: [], ...more };
}

const jwtLimits = { audiences: [], maxLifetimeMs: day, keepKeysMs: 7 * day };
export const oidcSpec = (issuer: TokenIssuer, more: Partial<Extract<AttestorSpec, { type: 'oidc' }>> = {}): AttestorSpec => ({
  type: 'oidc',
  issuer: issuer.url,
  algorithms: ['RS256', 'ES256'],
  ...jwtLimits,
  ...more,
});

/** A Kubernetes API as far as TokenReview goes: it knows the tokens of one issuer, until they are forgotten. */
export function tokenReviews(issuer: TokenIssuer, forgotten: Set<string> = new Set()): ReviewTokens {
  return {
    async review(token, audiences) {
      const { createLocalJWKSet, jwtVerify } = await import('jose');
      try {
        const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: issuer.keys }), { audience: [...audiences] });
        if (forgotten.has(String(payload.jti))) return { kind: 'refused', reason: 'pod not found' };
        const extra = {
          'authentication.kubernetes.io/pod-name': ['orders-0'],
          'authentication.kubernetes.io/pod-uid': [String(payload['pod'])],
        };
        return {
          kind: 'authenticated',
          username: String(payload.sub),
          uid: 'account-1',
          groups: ['system:serviceaccounts'],
          extra,
          audiences,
        };
      } catch {
        return { kind: 'refused', reason: 'invalid bearer token' };
      }
    },
    close: async () => {},
  };
}

/** Every attestor there is, by name. */
export const attestorScenes: Readonly<Record<string, (t: TestContext) => Promise<AttestorScene>>> = {
  'join-token': async (t) => {
    const { store, clock } = await ground(t);
    const claims = {
      role: 'workload' as const,
      namespace: 'shop',
      serviceAccount: 'orders',
      services: [{ namespace: 'shop', name: 'orders', ports: [8080] }],
      addresses: [],
    };
    const root = new MeshPki().root.certificate.der;
    const place = { trustDomain: 'mesh.test', cluster: 'east', addresses: ['127.0.0.1:15012'], root };
    const proof = async () => {
      const made = await createToken(store, { claims }, clock.now());
      if (!made.ok) throw new Error('no token');
      return Buffer.from(formatJoinToken({ ...made.value, ...place }));
    };
    const strange = async () => Buffer.from(formatJoinToken({ id: '0'.repeat(16), secret: 'A'.repeat(43), ...place }));
    return { attestor: new JoinTokenAttestor(store, 'east', 'mesh.test'), store, clock, proof, strange };
  },
  oidc: async (t) => {
    const at = await ground(t);
    const options = { now: () => at.clock.now(), audience };
    const [issuer, other] = [await startTokenIssuer(t, options), await startTokenIssuer(t, options)];
    const attestor = attestorOf(at, policy(oidcSpec(issuer)));
    const strange = async () => Buffer.from(await other.token({ iss: issuer.url }));
    return { ...at, attestor, proof: async () => Buffer.from(await issuer.token()), strange };
  },
  nomad: async (t) => {
    const at = await ground(t);
    const claims = {
      iss: undefined,
      nomad_namespace: 'default',
      nomad_job_id: 'orders',
      nomad_task: 'web',
      nomad_allocation_id: randomUUID(),
    };
    const options = { now: () => at.clock.now(), audience, claims };
    const [issuer, other] = [await startTokenIssuer(t, options), await startTokenIssuer(t, options)];
    const attestor = attestorOf(
      at,
      policy({ type: 'nomad', url: issuer.url, ...jwtLimits }, [rule({}, 'claims.nomad_job_id == "orders"')]),
    );
    return { ...at, attestor, proof: async () => Buffer.from(await issuer.token()), strange: async () => Buffer.from(await other.token()) };
  },
  kubernetes: async (t) => {
    const at = await ground(t);
    const claims = { sub: 'system:serviceaccount:shop:orders', pod: randomUUID() };
    const options = { now: () => at.clock.now(), audience, claims };
    const [issuer, other] = [await startTokenIssuer(t, options), await startTokenIssuer(t, options)];
    const spec = { type: 'kubernetes' as const, audiences: [], maxLifetimeMs: day };
    const attestor = attestorOf(at, policy(spec, [rule({}, 'claims.namespace == "shop"')]), tokenReviews(issuer));
    return { ...at, attestor, proof: async () => Buffer.from(await issuer.token()), strange: async () => Buffer.from(await other.token()) };
  },
  aws: async (t) => {
    const at = await ground(t);
    const [signer, other] = [await documentSigner(at.dir), await documentSigner(at.dir)];
    const spec = { type: 'aws' as const, certificates: signer.certificate, accounts: ['123456789012'], firstWithinMs: 0 };
    let instances = 0;
    const document = () => {
      instances += 1;
      return instanceDocument({ instanceId: `i-0123456789abcde${(256 + instances).toString(16)}` });
    };
    const strange = async () => Buffer.from(await other.sign(document()));
    return { ...at, attestor: attestorOf(at, policy(spec)), proof: async () => Buffer.from(await signer.sign(document())), strange };
  },
  x509: async (t) => {
    const at = await ground(t);
    const [authority, other] = [await testAuthority(at.dir, 'machines'), await testAuthority(at.dir, 'others')];
    const spec = { type: 'x509' as const, authorities: authority.certificate };
    const [certificate, strange] = [await authority.issue('vm-1'), await other.issue('vm-1-of-others')];
    const prove =
      ({ chain, key: own }: typeof certificate) =>
      async (key: KeyObject, instance: string) =>
        formatX509Proof(chain, own, { audience, time: at.clock.now(), instance, spki: spkiOf(key) });
    return { ...at, attestor: attestorOf(at, policy(spec)), proof: prove(certificate), strange: prove(strange) };
  },
};
