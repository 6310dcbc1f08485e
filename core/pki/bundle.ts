/** What one trust domain is verified against. Immutable plain data: a change is a new object. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** DER. Several while a root rotates. */
  readonly roots: readonly Uint8Array[];
  /** Each cluster's signing certificates, DER; several while one rotates, none needed where chains carry them. */
  readonly intermediates: readonly { readonly cluster: string; readonly certificate: Uint8Array }[];
  /** Lower-case hex, of leaves or intermediates, without leading zeros. */
  readonly deniedSerials: readonly string[];
  /** Of a trust domain that is not the mesh's: it proves who is of that domain and nobody else. */
  readonly federated?: true;
  /** Beside the mesh's own bundle: those of other trust domains whose identities its handshakes may meet. Absent: none. */
  readonly others?: readonly TrustBundle[];
  /** SHA-256 of the root that signs here, of several; absent or empty: any will do. Whoever has an SVID under another one renews it soon. */
  readonly signingRoot?: Uint8Array;
  /** What verifies its JWT-SVIDs. Absent: nothing does. */
  readonly jwtKeys?: readonly JwtKey[];
}

/** A key that signs JWT-SVIDs, and for whom: unlike a certificate, a JWT is constrained by its verifier alone. Plain data, as on the wire. */
export interface JwtKey {
  /** A token of this key names that cluster; empty: it is of another trust domain. */
  readonly cluster: string;
  readonly keyId: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** Unix ms; nothing that it signed lives longer. 0: nobody says. */
  readonly notAfterMs: number;
  /** Whose identities it may sign for; `*`: all. */
  readonly namespaces: readonly string[];
}

export function bundleOf(trustDomain: string, roots: readonly Uint8Array[]): TrustBundle {
  return { trustDomain, roots, intermediates: [], deniedSerials: [] };
}

/** `own` with the bundles of other trust domains beside it; what claims to be of `own`'s domain too is left out. The same object for none. */
export function withOthers(own: TrustBundle, others: readonly TrustBundle[]): TrustBundle {
  const federated = others.filter((each) => each.trustDomain !== own.trustDomain && each.roots.length > 0);
  return federated.length === 0 ? own : { ...own, others: federated };
}

/** DER of everything that a handshake may chain to. Which of it speaks for whom is the verifier's to say. */
export function allRoots({ roots, others = [] }: TrustBundle): readonly Uint8Array[] {
  return others.length === 0 ? roots : [...roots, ...others.flatMap((other) => other.roots)];
}
