import type { ServiceKey } from '../../core/model/index.ts';
import type { CatalogView, MergedService } from '../catalog/index.ts';

/** Who may call one service. Deny rules first; then, if any allow rule matches, allowed; otherwise refused. */
export interface ServiceAuthz {
  readonly service: ServiceKey;
  readonly rules: readonly AuthzRule[];
}

/**
 * All non-empty fields must match; within a field any entry matches. `*` alone, a leading or a trailing `*` are wildcards. A
 * rule whose fields are all empty matches everybody.
 */
export interface AuthzRule {
  readonly action: 'allow' | 'deny';
  /** For logs and explain. */
  readonly name: string;
  /** TRUST_DOMAIN/ns/NS/sa/SA, without the scheme. */
  readonly principals: readonly string[];
  /** Of the principal. */
  readonly namespaces: readonly string[];
  /** Mesh clusters, as proven by the DNS SAN. */
  readonly clusters: readonly string[];
}

/** A caller as its SVID proves it. */
export interface Caller {
  readonly principal: string;
  readonly namespace: string;
  readonly cluster: string;
}

/** One policy kind: a pure step that adds to what the ones before it said. The seam for AuthorizationPolicy. */
export interface Policy {
  readonly name: string;
  /** Returns `draft` itself where it has nothing to say. No clock, no network, no randomness. */
  apply(draft: ServiceAuthz, service: MergedService, view: CatalogView): ServiceAuthz;
}
