import { hash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { MeshError } from '../errors.ts';
import { clusterSan, formatSpiffeId, type SpiffeId } from '../model/index.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { bits, bool, context, contextBytes, octets, oidNode, seq, set, time, unsigned, utf8 } from './der-write.ts';
import { signingAlgorithm, spkiOf } from './keys.ts';
import { oid } from './oids.ts';
import { serialFor } from './serial.ts';

/** Clocks that run behind by up to this still accept a new certificate. */
const backdateMs = 5 * 60_000;

export interface Issuer {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

/** A self-signed root of `trustDomain`; `lifetimeMs` from `now` (Unix ms). Its key should live elsewhere than the intermediates'. */
export function issueRoot(key: KeyObject, trustDomain: string, now: number, lifetimeMs: number): Certificate {
  const name = distinguishedName(`${trustDomain} root`);
  return issue({
    issuerName: name,
    subject: name,
    spki: spkiOf(key),
    signer: key,
    notBefore: now - backdateMs,
    notAfter: now + lifetimeMs,
    extensions: [basicConstraints(true), keyUsage(0x06, 1), subjectKeyId(spkiOf(key)), authorityKeyId(spkiOf(key))],
  });
}

/**
 * A cluster's signing certificate: path length 0, and a critical name constraint that permits CLUSTER.cluster.TRUST_DOMAIN as
 * the only DNS name. Never outlives the root.
 */
export function issueIntermediate(
  root: Issuer,
  spki: Uint8Array,
  cluster: string,
  trustDomain: string,
  now: number,
  lifetimeMs: number,
): Certificate {
  return issue({
    issuerName: root.certificate.subject,
    subject: distinguishedName(signerName(cluster, trustDomain)),
    spki,
    signer: root.key,
    notBefore: Math.max(now - backdateMs, root.certificate.notBefore),
    notAfter: Math.min(now + lifetimeMs, root.certificate.notAfter),
    extensions: [
      basicConstraints(true, 0),
      keyUsage(0x06, 1),
      nameConstraint(clusterSan(cluster, trustDomain)),
      subjectKeyId(spki),
      authorityKeyId(root.certificate.spki, root.certificate.extensions.subjectKeyIdentifier),
    ],
  });
}

/** An SVID's certificate (X.509-SVID §3-4): empty subject, critical names. Never outlives the intermediate. */
export function issueLeaf(
  intermediate: Issuer,
  spki: Uint8Array,
  id: SpiffeId,
  cluster: string,
  now: number,
  lifetimeMs: number,
): Certificate {
  return issueLeafWithNames(
    intermediate,
    spki,
    { uris: [formatSpiffeId(id)], dns: [clusterSan(cluster, id.trustDomain)] },
    now,
    lifetimeMs,
    serialFor(cluster),
  );
}

/** A leaf with any names: for tests of what verifiers refuse, and for `issueBootstrap`. Issuers of SVIDs call `issueLeaf`. */
export function issueLeafWithNames(
  issuer: Issuer,
  spki: Uint8Array,
  names: { readonly uris: readonly string[]; readonly dns: readonly string[] },
  now: number,
  lifetimeMs: number,
  serial?: Uint8Array,
): Certificate {
  return issue({
    issuerName: issuer.certificate.subject,
    subject: seq(),
    spki,
    ...(serial === undefined ? {} : { serial }),
    signer: issuer.key,
    notBefore: Math.max(now - backdateMs, issuer.certificate.notBefore),
    notAfter: Math.min(now + lifetimeMs, issuer.certificate.notAfter),
    extensions: [...leafUse, subjectAltName(names), subjectKeyId(spki), issuerKeyId(issuer.certificate)],
  });
}

/**
 * An intermediate as a trust anchor of its own, for verifiers that take nothing but self-signed certificates as anchors and cannot
 * be told which cluster to expect: same name, key, lifetime and constraints. Anchors are trusted because they were handed over, and path
 * validation (RFC 5280 §6.1) does not look at their signature: this one holds none, as only that cluster could make it. Equal for equal input.
 */
export function anchorOf(intermediate: Certificate): Certificate {
  const { subject, spki, notBefore, notAfter, extensions } = intermediate;
  return issue({
    issuerName: subject,
    subject,
    spki,
    signer: 'nobody',
    serial: hash('sha256', intermediate.der, 'buffer').subarray(0, 16),
    notBefore,
    notAfter,
    extensions: [
      basicConstraints(true, 0),
      keyUsage(0x06, 1),
      ...(extensions.nameConstraints?.permittedDns ?? []).map(nameConstraint),
      subjectKeyId(spki),
      authorityKeyId(spki),
    ],
  });
}

/** A self-signed server certificate that proves nothing: for a control plane that has no identity yet. */
export function issueBootstrap(key: KeyObject, dnsName: string, now: number, lifetimeMs: number): Certificate {
  const name = distinguishedName('isthmus bootstrap');
  return issue({
    issuerName: name,
    subject: name,
    spki: spkiOf(key),
    signer: key,
    notBefore: now - backdateMs,
    notAfter: now + lifetimeMs,
    extensions: [
      keyUsage(0x80, 7),
      extension(oid.extendedKeyUsage, false, seq(oidNode(oid.serverAuth))),
      subjectAltName({ uris: [], dns: [dnsName] }),
    ],
  });
}

const signerName = (cluster: string, trustDomain: string) => `${cluster} of ${trustDomain}`;

/** DER of the name under which a cluster's intermediate issues: what a root signed, so no cluster can choose another's. */
export function intermediateName(cluster: string, trustDomain: string): Buffer {
  return distinguishedName(signerName(cluster, trustDomain));
}

interface Content {
  readonly issuerName: Uint8Array;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly signer: KeyObject | 'nobody';
  /** 16 bytes. Default: random ones. */
  readonly serial?: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly extensions: readonly Uint8Array[];
}

function issue(content: Content): Certificate {
  const { signer } = content;
  const { digest, algorithm } = signer === 'nobody' ? formOf('sha256', oid.ecdsaSha256) : signerForm(signer);
  const tbs = seq(
    version3,
    unsigned(positive(content.serial ?? randomBytes(16))),
    algorithm,
    content.issuerName,
    seq(time(content.notBefore), time(content.notAfter)),
    content.subject,
    content.spki,
    context(3, seq(...content.extensions)),
  );
  const signature = signer === 'nobody' ? seq(unsigned(Buffer.of(1)), unsigned(Buffer.of(1))) : sign(digest, tbs, signer);
  const parsed = parseCertificate(seq(tbs, algorithm, bits(signature)));
  if (!parsed.ok) throw new Error(`issued a certificate that does not parse: ${parsed.violations[0]?.message}`);
  return parsed.value;
}

const version3 = context(0, unsigned(Buffer.of(2)));

interface SignerForm {
  readonly digest: string;
  /** AlgorithmIdentifier. */
  readonly algorithm: Buffer;
}

/** Of keys that sign: one signs many thousand times. */
const signerForms = new WeakMap<KeyObject, SignerForm>();

function signerForm(key: KeyObject): SignerForm {
  const known = signerForms.get(key);
  if (known !== undefined) return known;
  const form = signingAlgorithm(key);
  if (form === undefined)
    throw new MeshError('IDENTITY_INVALID', 'the signing key is neither RSA of 2048 bits or more nor P-256, P-384 or P-521');
  const made = formOf(form.digest, form.oid);
  signerForms.set(key, made);
  return made;
}

/** RFC 4055 §5 wants NULL parameters for RSA, RFC 5758 §3.2 none for ECDSA. */
function formOf(digest: string, id: string): SignerForm {
  return { digest, algorithm: id === oid.rsaSha256 ? seq(oidNode(id), Buffer.of(5, 0)) : seq(oidNode(id)) };
}

/** Positive and of full length, so that it also never starts with a zero. */
function positive(bytes: Uint8Array): Buffer {
  const serial = Buffer.from(bytes);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

function distinguishedName(commonName: string): Buffer {
  const attribute = (id: string, value: string) => set(seq(oidNode(id), utf8(value)));
  return seq(attribute(oid.organization, 'Isthmus'), attribute(oid.commonName, commonName.slice(0, 64)));
}

function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return critical ? seq(oidNode(id), bool(true), octets(value)) : seq(oidNode(id), octets(value));
}

function basicConstraints(ca: boolean, pathLength?: number): Buffer {
  const length = pathLength === undefined ? [] : [unsigned(Buffer.of(pathLength))];
  return extension(oid.basicConstraints, true, seq(bool(ca), ...length));
}

function keyUsage(mask: number, unused: number): Buffer {
  return extension(oid.keyUsage, true, bits(Buffer.of(mask), unused));
}

/** What every SVID is for. */
const leafUse = [
  extension(oid.basicConstraints, true, seq()),
  keyUsage(0x80, 7),
  extension(oid.extendedKeyUsage, false, seq(oidNode(oid.serverAuth), oidNode(oid.clientAuth))),
];

function nameConstraint(dnsName: string): Buffer {
  return extension(oid.nameConstraints, true, seq(context(0, seq(contextBytes(2, Buffer.from(dnsName, 'latin1'))))));
}

function subjectAltName(names: { readonly uris: readonly string[]; readonly dns: readonly string[] }): Buffer {
  return extension(
    oid.subjectAltName,
    true,
    seq(
      ...names.uris.map((uri) => contextBytes(6, Buffer.from(uri, 'latin1'))),
      ...names.dns.map((dns) => contextBytes(2, Buffer.from(dns, 'latin1'))),
    ),
  );
}

/** RFC 7093 method 1: the leftmost 160 bits of SHA-256 over the key. */
function keyId(spki: Uint8Array): Buffer {
  return hash('sha256', spki, 'buffer').subarray(0, 20);
}

function subjectKeyId(spki: Uint8Array): Buffer {
  return extension(oid.subjectKeyIdentifier, false, octets(keyId(spki)));
}

/** `own`: how the issuer's certificate names its key, which one made elsewhere does in its own way. */
function authorityKeyId(issuerSpki: Uint8Array, own?: Buffer): Buffer {
  return extension(oid.authorityKeyIdentifier, false, seq(contextBytes(0, own ?? keyId(issuerSpki))));
}

const issuerKeyIds = new WeakMap<Certificate, Buffer>();

/** The same, of an issuer that signs many. */
function issuerKeyId(issuer: Certificate): Buffer {
  const made = issuerKeyIds.get(issuer) ?? authorityKeyId(issuer.spki);
  issuerKeyIds.set(issuer, made);
  return made;
}
