/** What one trust domain is verified against. Immutable plain data: a change is a new object. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** DER. Several while a root rotates. */
  readonly roots: readonly Uint8Array[];
  /** Each cluster's signing certificates, DER; several while one rotates, none needed where chains carry them. */
  readonly intermediates: readonly { readonly cluster: string; readonly certificate: Uint8Array }[];
  /** Lower-case hex, of leaves or intermediates, without leading zeros. */
  readonly deniedSerials: readonly string[];
}

export function bundleOf(trustDomain: string, roots: readonly Uint8Array[]): TrustBundle {
  return { trustDomain, roots, intermediates: [], deniedSerials: [] };
}
