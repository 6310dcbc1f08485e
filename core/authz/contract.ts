/** A caller as its SVID proves it; a gateway's peer and a policy's subject are both one. */
export interface Caller {
  /** TRUST_DOMAIN/ns/NS/sa/SA, without the scheme. */
  readonly principal: string;
  /** Of the principal. */
  readonly namespace: string;
  /** Mesh cluster, as proven by the DNS SAN. */
  readonly cluster: string;
}

/**
 * All non-empty fields must hold; within `principals`, `namespaces` and `clusters` one entry has to match, of `notPrincipals` and
 * `notNamespaces` none may. An entry is a text that must be equal, `*` for anything that is not empty, or a text with `*` at its
 * beginning or its end, as Istio's AuthorizationPolicy has them.
 */
export interface AuthzMatch {
  readonly principals: readonly string[];
  readonly namespaces: readonly string[];
  readonly clusters: readonly string[];
  readonly notPrincipals: readonly string[];
  readonly notNamespaces: readonly string[];
}

/** Its own fields (as in AuthzMatch) and everything in `also` must match. A rule without any condition matches everybody. */
export interface AuthzRule {
  readonly action: 'allow' | 'deny';
  /** For logs and explain; several rules may share one. */
  readonly name: string;
  readonly principals: readonly string[];
  readonly namespaces: readonly string[];
  readonly clusters: readonly string[];
  /** Absent: no more conditions. */
  readonly also?: readonly AuthzMatch[];
}
