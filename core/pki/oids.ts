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
