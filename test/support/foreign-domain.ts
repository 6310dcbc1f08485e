import type { KeyObject, webcrypto } from 'node:crypto';
import { KeyObject as Keys } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { bundleOf, type TrustBundle } from '../../core/pki/index.ts';

const hour = 3_600_000;
const p256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface ForeignIssuer {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  /** What a leaf of it sends along: itself and what is above it, without the authority. */
  readonly above: readonly Buffer[];
}

export interface ForeignLeaf {
  readonly chain: readonly Buffer[];
  readonly key: KeyObject;
}

interface SignerOptions {
  readonly pathLength?: number;
  readonly uri?: string;
  readonly extensions?: readonly x509.Extension[];
  readonly ca?: boolean;
  readonly subject?: string;
}

interface LeafOptions {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly usage?: x509.KeyUsageFlags;
  /** Default: both. Empty: the extension is absent. */
  readonly extended?: readonly string[];
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly ca?: boolean;
  readonly extensions?: readonly x509.Extension[];
}

/** A trust domain as another implementation has it: made with another X.509 library, no cluster names, authorities that sign leaves. */
export class ForeignDomain {
  readonly trustDomain: string;
  readonly authority: ForeignIssuer;
  readonly #now: () => number;

  private constructor(trustDomain: string, authority: ForeignIssuer, now: () => number) {
    this.trustDomain = trustDomain;
    this.authority = authority;
    this.#now = now;
  }

  static async create(trustDomain: string, now: () => number = Date.now): Promise<ForeignDomain> {
    const keys = await crypto.subtle.generateKey(p256, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      name: `O=SPIFFE, CN=${trustDomain}`,
      notBefore: new Date(now() - hour),
      notAfter: new Date(now() + 24 * hour),
      signingAlgorithm: p256,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
      ],
    });
    return new ForeignDomain(trustDomain, { certificate, keys, above: [] }, now);
  }

  get bundle(): TrustBundle {
    return { ...bundleOf(this.trustDomain, [der(this.authority.certificate)]), federated: true };
  }

  /** A signing certificate below `issuer`. */
  async signer(options: SignerOptions = {}, issuer: ForeignIssuer = this.authority): Promise<ForeignIssuer> {
    const keys = await crypto.subtle.generateKey(p256, true, ['sign', 'verify']);
    const { pathLength, uri, ca = true, extensions = [], subject = `O=SPIFFE, CN=signer ${serial()}` } = options;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject,
      issuer: issuer.certificate.subject,
      notBefore: new Date(this.#now() - hour),
      notAfter: new Date(this.#now() + 12 * hour),
      signingAlgorithm: p256,
      publicKey: keys.publicKey,
      signingKey: issuer.keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(ca, pathLength, true),
        new x509.KeyUsagesExtension(ca ? x509.KeyUsageFlags.keyCertSign : x509.KeyUsageFlags.digitalSignature, true),
        ...(uri === undefined ? [] : [new x509.SubjectAlternativeNameExtension([{ type: 'url', value: uri }])]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
        ...extensions,
      ],
    });
    return { certificate, keys, above: [der(certificate), ...issuer.above] };
  }

  /** By default `spiffe://DOMAIN/workload`, and no other name. */
  async leaf(options: LeafOptions = {}, issuer: ForeignIssuer = this.authority): Promise<ForeignLeaf> {
    const keys = await crypto.subtle.generateKey(p256, true, ['sign', 'verify']);
    const { uris = [`spiffe://${this.trustDomain}/workload`], dns = [], usage = x509.KeyUsageFlags.digitalSignature } = options;
    const { extended = [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth], ca = false, extensions = [] } = options;
    const names = [...uris.map((value) => ({ type: 'url' as const, value })), ...dns.map((value) => ({ type: 'dns' as const, value }))];
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: 'O=SPIRE, C=US',
      issuer: issuer.certificate.subject,
      notBefore: new Date(options.notBefore ?? this.#now() - hour),
      notAfter: new Date(options.notAfter ?? this.#now() + hour),
      signingAlgorithm: p256,
      publicKey: keys.publicKey,
      signingKey: issuer.keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(ca, undefined, true),
        new x509.KeyUsagesExtension(usage, true),
        // Two authorities of one domain have one name: OpenSSL tells them apart by this.
        await x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
        ...(extended.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...extended])]),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
        ...extensions,
      ],
    });
    return { chain: [der(certificate), ...issuer.above], key: Keys.from(keys.privateKey) };
  }
}

export function der(certificate: x509.X509Certificate): Buffer {
  return Buffer.from(certificate.rawData);
}

let last = 0x10_00_00;

function serial(): string {
  last += 1;
  return last.toString(16);
}
