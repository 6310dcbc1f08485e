/**
 * How one registry's services get their mesh names and properties: the `mapping` of a Registry object. Plain data; the
 * config parser makes it, adapters pass it to the pure functions that apply it.
 */
export interface RegistryRules {
  /** Namespace of every service, unless `namespaceFrom` finds one. */
  readonly namespace: string;
  /** Where the registry itself says: a meta/label key, a tag prefix (`ns=`), or its own namespace. */
  readonly namespaceFrom?: { readonly meta: string } | { readonly tagPrefix: string } | 'native';
  /** Native name → mesh name, exact. */
  readonly rename: Readonly<Record<string, string>>;
  /** Globs (`*`) over native names; empty include means all. Exclude wins. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Globs over `NAMESPACE/NAME` that this source may publish. Empty: none. */
  readonly claims: readonly string[];
  readonly network: string;
  /** Protocol of ports whose registry does not say. */
  readonly protocol: 'tcp' | 'http' | 'http2' | 'grpc' | 'tls';
  /** Service account of workloads whose registry does not say. */
  readonly serviceAccount: string;
  readonly tlsMode: 'mesh' | 'none';
  readonly locality: string;
}
