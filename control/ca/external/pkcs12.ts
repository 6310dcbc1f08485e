import forge from 'node-forge';
import { MeshError } from '../../../core/errors.ts';
import { type Issuer, keyFromPem, parseCertificate, rootFault, signingAlgorithm, spkiOf } from '../../../core/pki/index.ts';

/** A root CA's file is a few KiB. */
const mostBytes = 1024 * 1024;

/** PKCS#12 holds certificates whose keys node-forge cannot read (EC): they come as bytes. */
interface Bag {
  readonly cert?: forge.pki.Certificate | null;
  readonly key?: forge.pki.PrivateKey | null;
  readonly asn1?: forge.asn1.Asn1;
}

/**
 * The root in a PKCS#12 file. node-forge is a codec here: what counts is read by our own strict reader. MeshError IDENTITY_INVALID for another password,
 * a file that does not parse, or one without exactly one key and its certificate that may be a root.
 */
export function rootFromPkcs12(bytes: Uint8Array, password: string): Issuer {
  if (bytes.length > mostBytes) throw new MeshError('LIMIT_EXCEEDED', 'the PKCS#12 file is longer than 1 MiB');
  const refuse = (message: string) => new MeshError('IDENTITY_INVALID', `the PKCS#12 file is refused: ${message}`);
  let p12: forge.pkcs12.Pkcs12Pfx;
  try {
    p12 = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(forge.util.createBuffer(Buffer.from(bytes).toString('binary'))), true, password);
  } catch {
    throw refuse('the password is another one, or it is damaged or of a kind that is not read');
  }
  const bags = (type: string): readonly Bag[] => (p12.getBags({ bagType: type })[type] ?? []) as readonly Bag[];
  const { oids } = forge.pki;
  const keys = [...bags(String(oids['pkcs8ShroudedKeyBag'])), ...bags(String(oids['keyBag']))].flatMap(keyOf);
  const [key, ...more] = keys;
  if (key === undefined || more.length > 0) throw refuse(`it holds ${keys.length} keys that can be read, and one is needed`);
  const certificates = bags(String(oids['certBag'])).flatMap((bag) => {
    const parsed = parseCertificate(derOf(bag.cert == null ? bag.asn1 : forge.pki.certificateToAsn1(bag.cert)));
    return parsed.ok ? [parsed.value] : [];
  });
  const certificate = certificates.find((each) => each.spki.equals(spkiOf(key)));
  if (certificate === undefined) throw refuse('no certificate in it is that of its key');
  const fault = signingAlgorithm(key) === undefined ? 'its key is of a kind that cannot sign here' : rootFault(certificate);
  if (fault !== undefined) throw refuse(fault);
  if (!certificate.issuer.equals(certificate.subject)) throw refuse('its certificate is not self-signed: the root itself is needed');
  return { key, certificate };
}

function derOf(asn1: forge.asn1.Asn1 | undefined): Buffer {
  return asn1 === undefined ? Buffer.alloc(0) : Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'binary');
}

function keyOf({ key, asn1 }: Bag) {
  try {
    const info = key == null ? asn1 : forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key));
    const pem = `-----BEGIN PRIVATE KEY-----\n${derOf(info).toString('base64')}\n-----END PRIVATE KEY-----\n`;
    return [keyFromPem(pem)];
  } catch {
    return [];
  }
}
