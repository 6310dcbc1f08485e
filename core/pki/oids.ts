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
  ecPublicKey: '1.2.840.10045.2.1',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  ecdsaSha384: '1.2.840.10045.4.3.3',
  ecdsaSha512: '1.2.840.10045.4.3.4',
  rsaSha256: '1.2.840.113549.1.1.11',
  rsaSha384: '1.2.840.113549.1.1.12',
} as const;

/** What a signature of this algorithm hashes with; undefined: not accepted (SHA-1, MD5, anything unknown). */
export function digestOf(signatureAlgorithm: string): 'sha256' | 'sha384' | 'sha512' | undefined {
  switch (signatureAlgorithm) {
    case oid.ecdsaSha256:
    case oid.rsaSha256:
      return 'sha256';
    case oid.ecdsaSha384:
    case oid.rsaSha384:
      return 'sha384';
    case oid.ecdsaSha512:
      return 'sha512';
    default:
      return undefined;
  }
}
