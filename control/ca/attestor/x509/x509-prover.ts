import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { X509Attestor } from '../../../../core/config/index.ts';
import { parseX509Proof, x509SignatureHolds } from '../../../../core/identity/index.ts';
import { type Certificate, parseCertificate, pemBlocks, sha256Hex } from '../../../../core/pki/index.ts';
import type { AttestationRequest } from '../contract.ts';
import { type ProofVerdict, type Prover, refuseProof as refuse } from '../prover.ts';
import type { ProverContext } from '../prover-context.ts';
import { verifyClientChain } from './verify-chain.ts';

/** A proof is made for the request that carries it. */
const windowMs = 5 * 60_000;

/**
 * Certificates of given authorities, with proof of possession: a signature by the certificate's key over the key that asks, the audience, the
 * instance and the time. It is of no use to any other key, so nothing needs to be remembered.
 */
export class X509Prover implements Prover {
  readonly #authorities: readonly Certificate[];
  readonly #audience: string;

  constructor(spec: X509Attestor, context: ProverContext) {
    this.#authorities = pemBlocks(spec.authorities, 'CERTIFICATE').flatMap((der) => {
      const parsed = parseCertificate(der);
      return parsed.ok ? [parsed.value] : [];
    });
    this.#audience = context.audience;
  }

  async prove({ proof: bytes, spki, instance }: AttestationRequest, now: number): Promise<ProofVerdict> {
    const proof = parseX509Proof(bytes);
    if (proof === undefined) return refuse('unproven', 'malformed', 'the proof is no certificate chain with a signature');
    const { audience, time, signature } = proof;
    if (audience !== this.#audience)
      return refuse('unproven', 'wrong-audience', `the proof is for another audience than ${this.#audience}`);
    if (time > now + windowMs) return refuse('unproven', 'not-yet-valid', 'the proof is of the future');
    if (time < now - windowMs) return refuse('unproven', 'expired', 'the proof is old: check the clock of the machine');
    const verdict = verifyClientChain(proof.chain, this.#authorities, now);
    if (!verdict.ok) return refuse('unproven', verdict.why, verdict.reason);
    const { leaf } = verdict;
    const key = keyOf(leaf);
    if (key === undefined)
      return refuse(
        'unproven',
        'wrong-algorithm',
        'the key of the certificate is none of P-256, P-384, P-521, Ed25519 and RSA of 2048 bits',
      );
    if (!x509SignatureHolds(key, { audience, time, instance, spki }, signature))
      return refuse('unproven', 'bad-signature', 'the signature does not show that the key of the certificate vouches for this request');
    const claims = claimsOf(leaf);
    const machine = `x509\0${sha256Hex(leaf.issuer)}\0${leaf.serial}`;
    return { ok: true, proven: { claims, subject: `x509 serial ${leaf.serial}`, machine } };
  }

  async close(): Promise<void> {}
}

/** Undefined: too weak, or of a kind that is not taken. */
function keyOf({ spki }: Certificate): KeyObject | undefined {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  const strong =
    key.asymmetricKeyType === 'ed25519' ||
    (key.asymmetricKeyType === 'ec' && ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve ?? '')) ||
    (key.asymmetricKeyType === 'rsa' && (modulusLength ?? 0) >= 2_048);
  return strong ? key : undefined;
}

/** `subject` by the short names of its attributes: CN, O, OU; an attribute that is there more than once is a list. */
function claimsOf(leaf: Certificate): Record<string, unknown> {
  const parsed = new X509Certificate(leaf.der);
  const { subject, issuer } = parsed.toLegacyObject();
  return {
    subject: { ...subject },
    issuer: { ...issuer },
    dns: leaf.extensions.subjectAltName?.dns ?? [],
    uris: leaf.extensions.subjectAltName?.uris ?? [],
    serial: leaf.serial,
    fingerprint: sha256Hex(leaf.der),
  };
}
