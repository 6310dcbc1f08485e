/**
 * Another trust domain whose identities may be let in here, and how its bundle is had. It belongs to one control plane: whom its mesh believes is
 * said where it is run, not by those who may apply objects.
 */
export interface FederatedTrustDomainSpec {
  readonly trustDomain: string;
  /** Absent: what `bundleFile` holds, and nothing newer. */
  readonly bundleEndpoint?: BundleEndpointSpec;
  /** A SPIFFE bundle (JWKS), believed until a newer one is fetched; again when the file changes. */
  readonly bundleFile?: string;
  /** Namespaces here whose AuthorizationPolicies may let its identities in; `*` for all. */
  readonly namespaces: readonly string[];
}

/** SPIFFE Federation §5: by whom the endpoint is authenticated. */
export type BundleEndpointSpec =
  /** By its SVID, against the bundle at hand. */
  | { readonly profile: 'https_spiffe'; readonly url: string; readonly endpointSpiffeId: string }
  /** By its host name, against the CAs of the system, or those in `caFile`. */
  | { readonly profile: 'https_web'; readonly url: string; readonly caFile?: string };

/** Where this control plane serves the bundle of its own trust domain. */
export interface FederationServerSpec {
  /** HOST:PORT. */
  readonly listen: string;
  /** `https_spiffe`: with the control plane's own SVID. `https_web`: with these files, read again when they change. */
  readonly profile: 'https_spiffe' | 'https_web';
  readonly certFile?: string;
  readonly keyFile?: string;
  /** How soon others should look again. Default 5 min. */
  readonly refreshHintMs: number;
}
