/** A caller as its SVID proves it; a gateway's peer and a policy's subject are both one. */
export interface Caller {
  /** TRUST_DOMAIN/ns/NS/sa/SA, without the scheme. */
  readonly principal: string;
  /** Of the principal. */
  readonly namespace: string;
  /** Mesh cluster, as proven by the DNS SAN. */
  readonly cluster: string;
  /** Of another trust domain, as its bundle proves it; namespace and cluster are empty then. Absent: of the mesh's own. */
  readonly foreign?: true;
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

/**
 * What a condition looks at. Of the caller's certificate, of the connection, of an HTTP request, of the token that it brings and that was
 * verified. What a pattern is: see AuthzTest.
 */
export type AuthzAttribute =
  | 'principal'
  | 'namespace'
  | 'cluster'
  | 'service-account'
  | 'trust-domain'
  | 'source-ip'
  | 'destination-ip'
  | 'port'
  | 'sni'
  | 'method'
  | 'path'
  | 'host'
  | 'header'
  | 'request-principal'
  | 'claim';

/** A byte stream has none of these. */
export const requestAttributes: ReadonlySet<AuthzAttribute> = new Set<AuthzAttribute>([
  'method',
  'path',
  'host',
  'header',
  'request-principal',
  'claim',
]);

/**
 * One attribute is like one of the patterns: as in AuthzMatch, but `source-ip` and `destination-ip` ADDRESS/BITS, `port` a number,
 * `service-account` NAMESPACE/SERVICE_ACCOUNT as it is, `host` in any case, `path` a template where it holds `{*}` (one segment) or `{**}`
 * (any number of them), `request-principal` ISSUER/SUBJECT, where the last slash tells one from the other.
 */
export interface AuthzTest {
  readonly kind: 'test';
  readonly attribute: AuthzAttribute;
  /** The header's name in lower case, or the way to a claim; else empty. */
  readonly names: readonly string[];
  readonly patterns: readonly string[];
}

/** `unknown`: what this version does not know. It may hold or not: see Truth. */
export type AuthzCondition =
  | { readonly kind: 'all' | 'any'; readonly of: readonly AuthzCondition[] }
  | { readonly kind: 'not'; readonly of: AuthzCondition }
  | { readonly kind: 'unknown' }
  | AuthzTest;

/** Its own fields (as in AuthzMatch), everything in `also` and `when` must hold. A rule without any condition matches everybody. */
export interface AuthzRule {
  /** `audit` decides nothing: what it matches is marked in the access log. */
  readonly action: 'allow' | 'deny' | 'audit';
  /** For logs and explain; several rules may share one. */
  readonly name: string;
  readonly principals: readonly string[];
  readonly namespaces: readonly string[];
  readonly clusters: readonly string[];
  /** Absent: no more conditions. */
  readonly also?: readonly AuthzMatch[];
  /** Absent: no more conditions. */
  readonly when?: AuthzCondition;
}

/** Of the connection that a caller came by. */
export interface ConnectionFacts {
  /** The direct peer's, which may be a gateway's. */
  readonly sourceAddress: string;
  readonly destinationAddress: string;
  /** The service port that the caller asked for. */
  readonly port: number;
  readonly sni: string;
}

/** Of one HTTP request. */
export interface RequestFacts {
  readonly method: string;
  /** Without query, normalised where rules look at it. */
  readonly path: string;
  readonly authority: string;
  /** All lines of that name (lower case), joined by commas. */
  header(name: string): string | undefined;
  /** Of its verified token; absent: it has none. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Who asks for what. What is absent is not known; `none`: a byte stream, which has no requests. */
export interface AuthzFacts extends Caller {
  readonly connection?: ConnectionFacts;
  readonly request?: RequestFacts | 'none';
}
