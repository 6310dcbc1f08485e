/** Object identifiers that certificates and requests of this mesh use (RFC 5280, 2986, 5480, 5758). */
export const oid = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  extensionRequest: '1.2.840.113549.1.9.14',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  ecdsaSha384: '1.2.840.10045.4.3.3',
  ecdsaSha512: '1.2.840.10045.4.3.4',
  rsaSha256: '1.2.840.113549.1.1.11',
  rsaSha384: '1.2.840.113549.1.1.12',
  rsaSha512: '1.2.840.113549.1.1.13',
} as const;

/** What a signature of this algorithm hashes with and the kind of key it needs; undefined: not accepted (SHA-1, MD5, anything unknown). */
export function signatureForm(
  algorithm: string,
): { readonly digest: 'sha256' | 'sha384' | 'sha512'; readonly keyType: 'ec' | 'rsa' } | undefined {
  switch (algorithm) {
    case oid.ecdsaSha256:
      return { digest: 'sha256', keyType: 'ec' };
    case oid.ecdsaSha384:
      return { digest: 'sha384', keyType: 'ec' };
    case oid.ecdsaSha512:
      return { digest: 'sha512', keyType: 'ec' };
    case oid.rsaSha256:
      return { digest: 'sha256', keyType: 'rsa' };
    case oid.rsaSha384:
      return { digest: 'sha384', keyType: 'rsa' };
    case oid.rsaSha512:
      return { digest: 'sha512', keyType: 'rsa' };
    default:
      return undefined;
  }
}

/** The content of an OBJECT IDENTIFIER (X.690 §8.19). RangeError for what is none. */
export function encodeOid(id: string): Buffer {
  const known = encoded.get(id);
  if (known !== undefined) return known;
  const [first = Number.NaN, second = Number.NaN, ...rest] = id.split('.').map(Number);
  const arcs = [first * 40 + second, ...rest];
  if (!arcs.every(Number.isSafeInteger)) throw new RangeError(`${id} is no object identifier`);
  return Buffer.from(arcs.flatMap(base128));
}

/** Most significant group first, each but the last with its high bit set. */
function base128(arc: number): number[] {
  const groups = [arc % 128];
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift(0x80 | (left % 128));
  return groups;
}

/** Those of above are in every certificate, and are made and read many thousand times a second. */
const encoded = new Map<string, Buffer>();
for (const id of Object.values(oid)) encoded.set(id, encodeOid(id));
const names = new Map([...encoded].map(([id, bytes]) => [bytes.toString('latin1'), id]));

/** The identifier with this content, in Latin-1, where it is one of `oid`. */
export function knownOid(content: string): string | undefined {
  return names.get(content);
}
