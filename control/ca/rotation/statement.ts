import { sign } from 'node:crypto';
import { MeshError } from '../../../core/errors.ts';
import {
  type Certificate,
  fingerprintOf,
  type Issuer,
  parseCertificate,
  publicKeyFromSpki,
  rootFault,
  signatureHolds,
  signedBy,
  signingAlgorithm,
} from '../../../core/pki/index.ts';
import { accept, type Checked, reject } from '../../../core/validate.ts';
import { peering } from '../../../core/xds/index.ts';

/** So that no other thing that a root's key signs (certificates, requests) reads as a statement. */
const label = Buffer.from('isthmus trust statement v1\0', 'latin1');
const format = 1;
/** Of one statement, encoded: two roots of RSA-4096 are below 5 KiB. */
const longestPayload = 32_768;
const mostRoots = 2;
const mostNames = 256;

export type StatementPhase = 'distribute' | 'sign' | 'retire';
const phases: readonly string[] = ['distribute', 'sign', 'retire'] satisfies StatementPhase[];

/**
 * Which roots count in a trust domain from `version` on. Believed by whoever trusts the root that signed it: who hands it on does not
 * matter, so a peer can bring a root to others only when the root before it says so. Immutable.
 */
export interface Statement {
  readonly trustDomain: string;
  /** From 1, one more with each. */
  readonly version: number;
  /** Which rotation it belongs to. */
  readonly rotation: string;
  readonly phase: StatementPhase;
  /** One or two. */
  readonly roots: readonly Certificate[];
  /** Fingerprint of the one that signs; one of `roots`. */
  readonly signing: string;
  /** What is left out goes although it is in use. */
  readonly force: boolean;
  /** Who is not waited for. */
  readonly without: readonly string[];
  /** Unix ms. */
  readonly madeAt: number;
  /** As it travels and is stored. */
  readonly signed: peering.TrustStatement;
  /** Fingerprint of the root that signed it. */
  readonly signer: string;
}

/** `by`: a root that counted until now. MeshError IDENTITY_INVALID for a key that roots cannot have. */
export function makeStatement(content: Omit<Statement, 'signed' | 'signer'>, by: Issuer): Statement {
  const { trustDomain, version, rotation, phase, roots, signing, force, without, madeAt } = content;
  const payload = Buffer.from(
    peering.TrustPayload.encode({
      format,
      trustDomain,
      version,
      rotation,
      phase,
      roots: roots.map((root) => root.der),
      signing: Buffer.from(signing, 'hex'),
      force,
      madeAtMs: Math.round(madeAt),
      without: [...without],
    }).finish(),
  );
  return readOrThrow(signStatement(payload, by));
}

/** For a root that is elsewhere, the payload alone travels to it. */
export function signStatement(payload: Uint8Array, by: Issuer): peering.TrustStatement {
  const algorithm = signingAlgorithm(by.key);
  if (algorithm === undefined) throw new MeshError('IDENTITY_INVALID', 'the key of the root is of a kind that cannot sign here');
  const signature = sign('sha256', Buffer.concat([label, payload]), by.key);
  return { payload: Buffer.from(payload), signer: Buffer.from(fingerprintOf(by.certificate), 'hex'), signature };
}

function readOrThrow(signed: peering.TrustStatement): Statement {
  const read = readStatement(signed);
  if (read.ok) return read.value;
  throw new MeshError('CONFIG_INVALID', read.violations.map((v) => `${v.path} ${v.message}`).join('; '));
}

/** Form alone; whether its signature holds is for `admitStatement`. Never throws. */
export function readStatement(signed: peering.TrustStatement): Checked<Statement> {
  const refuse = (message: string) => reject<Statement>([{ path: 'statement', message }]);
  if (signed.payload.length > longestPayload) return refuse(`is longer than ${longestPayload} bytes`);
  let payload: peering.TrustPayload;
  try {
    payload = peering.TrustPayload.decode(signed.payload);
  } catch {
    return refuse('is no statement');
  }
  if (payload.format !== format) return refuse(`is of format ${payload.format}; this version reads ${format}`);
  const { trustDomain, version, rotation, phase, force, without, madeAtMs: madeAt } = payload;
  const roots = payload.roots.map((der) => parseCertificate(der));
  const signing = Buffer.from(payload.signing).toString('hex');
  if (!Number.isSafeInteger(version) || version < 1) return refuse('has no version');
  if (!phases.includes(phase)) return refuse('has a phase that this version does not know');
  if (roots.length === 0 || roots.length > mostRoots) return refuse(`names ${roots.length} roots: one or two count`);
  if (rotation.length > 64 || without.length > mostNames) return refuse('names too much');
  const certificates: Certificate[] = [];
  for (const root of roots) {
    if (!root.ok) return refuse(`holds a root that is ${root.violations[0]?.message}`);
    const fault = rootFault(root.value) ?? selfSignatureFault(root.value);
    if (fault !== undefined) return refuse(`names a root that cannot be one: ${fault}`);
    certificates.push(root.value);
  }
  if (!certificates.some((root) => fingerprintOf(root) === signing)) return refuse('has a signing root that it does not trust');
  return accept({
    trustDomain,
    version,
    rotation,
    phase: phase as StatementPhase,
    roots: certificates,
    signing,
    force,
    without,
    madeAt,
    signed,
    signer: Buffer.from(signed.signer).toString('hex'),
  });
}

/** `signedBy` leaves out certificates that are their own issuer, as chains must. */
function selfSignatureFault(root: Certificate): string | undefined {
  const key = publicKeyFromSpki(root.spki);
  if (key === undefined || signingAlgorithm(key) === undefined)
    return 'its key is neither RSA of 2048 bits or more nor P-256, P-384 or P-521';
  const holds = root.issuer.equals(root.subject) && signatureHolds(root.signatureAlgorithm, root.tbs, key, root.signature);
  return holds ? undefined : 'it has not signed itself';
}

export interface TrustedSoFar {
  readonly trustDomain: string;
  /** Of the last statement that was believed; 0: none. */
  readonly version: number;
  readonly roots: readonly Certificate[];
}

/**
 * Why a statement is not to be believed after what was trusted so far; undefined: it is. It is newer than what was believed, and a root that counted
 * until now has signed it; it brings one new root at most and keeps one that counted, so that nobody who follows is ever left without
 * an anchor.
 */
export function admitStatement(statement: Statement, soFar: TrustedSoFar, now: number): string | undefined {
  const { trustDomain, version, roots, signer, signed } = statement;
  if (trustDomain !== soFar.trustDomain) return `it is of trust domain ${trustDomain}`;
  if (version <= soFar.version) return `it is version ${version}, and ${soFar.version} is in force`;
  const by = soFar.roots.find((root) => fingerprintOf(root) === signer);
  if (by === undefined) return 'no root that counts here has signed it';
  if (!statementSignatureHolds(signed, by)) return 'its signature does not hold';
  const known = (root: Certificate) => soFar.roots.some((each) => each.der.equals(root.der));
  const added = roots.filter((root) => !known(root));
  if (added.length > 1 || added.length === roots.length) return 'it keeps no root that counted until now';
  const dead = added.find((root) => root.notBefore > now || root.notAfter <= now);
  if (dead !== undefined) return 'the root that it brings is not in its time';
  // Two roots of one name and key would make chains that lead to either.
  const twin = added.find((root) => soFar.roots.some((each) => each.spki.equals(root.spki)));
  return twin === undefined ? undefined : 'the root that it brings has the key of one that counts: a rotation needs a new key';
}

function statementSignatureHolds({ payload, signature }: peering.TrustStatement, by: Certificate): boolean {
  const key = publicKeyFromSpki(by.spki);
  const algorithm = key?.asymmetricKeyType === 'rsa' ? '1.2.840.113549.1.1.11' : '1.2.840.10045.4.3.2';
  return key !== undefined && signatureHolds(algorithm, Buffer.concat([label, payload]), key, signature);
}

/** Which of the roots a signing certificate is under; undefined: none. */
export function rootOver(certificate: Certificate, roots: readonly Certificate[]): string | undefined {
  const root = roots.find((each) => signedBy(certificate, each));
  return root === undefined ? undefined : fingerprintOf(root);
}
