/**
 * `isthmus.dev/v1alpha1`, AttestationPolicy: whose proofs a control plane takes, and what they are good for. In `isthmus-system` it may grant
 * anything; elsewhere identities and services of its own namespace alone.
 */
export interface AttestationPolicySpec {
  readonly attestor: AttestorSpec;
  /** CIDRs that requests must come from; empty: anywhere. */
  readonly sources: readonly string[];
  /** The first that matches decides; when none does, the proof is refused. */
  readonly rules: readonly AttestationRule[];
}

export interface AttestationRule {
  readonly name: string;
  /** CEL over `claims`, a bool. An error, such as a claim that is not there, is no match. */
  readonly when: string;
  readonly grant: AttestationGrant;
}

/** Any text may be `${EXPRESSION}`: CEL over `claims`. */
export interface AttestationGrant {
  /** Gateways and ingress gateways have the identity that all of them have. */
  readonly role: 'workload' | 'gateway' | 'ingress';
  /** Default: the policy's. */
  readonly namespace?: string;
  /** Of a workload. */
  readonly serviceAccount?: string;
  readonly services: readonly { readonly namespace?: string; readonly name: string; readonly ports: readonly (number | string)[] }[];
  /** CIDRs; an expression may give a list. Empty: the address that it is seen from. */
  readonly addresses: readonly string[];
  /** NAMESPACE/NAME of a WorkloadGroup. */
  readonly group?: string;
}

export type AttestorSpec = OidcAttestor | NomadAttestor | KubernetesAttestor | AwsAttestor | X509Attestor;
export type AttestorType = AttestorSpec['type'];

interface JwtIssuer {
  /** Any of them must be in `aud`. Default: isthmus/TRUST_DOMAIN/CLUSTER. */
  readonly audiences: readonly string[];
  /** From iat to exp at most; ms. */
  readonly maxLifetimeMs: number;
  /** How long keys are good for that could not be fetched again; ms. */
  readonly keepKeysMs: number;
  readonly caFile?: string;
}

export interface OidcAttestor extends JwtIssuer {
  readonly type: 'oidc';
  readonly issuer: string;
  /** Absent: what ISSUER/.well-known/openid-configuration says. */
  readonly jwksUrl?: string;
  readonly algorithms: readonly JwtAlgorithm[];
}

export interface NomadAttestor extends JwtIssuer {
  readonly type: 'nomad';
  /** Of Nomad's API; its keys are at /.well-known/jwks.json. */
  readonly url: string;
  /** Where Nomad's servers set `oidc_issuer`: then tokens must name it. */
  readonly issuer?: string;
}

export interface KubernetesAttestor {
  readonly type: 'kubernetes';
  /** Absent: the pod's own service account. It must be let create tokenreviews. */
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly audiences: readonly string[];
  readonly maxLifetimeMs: number;
}

export interface AwsAttestor {
  readonly type: 'aws';
  /** PEM: AWS's certificates for RSA-2048 signatures, of each region that instances are in. */
  readonly certificates: string;
  /** 12 digits each: AWS signs documents of every customer. */
  readonly accounts: readonly string[];
  /** A first key is taken within this of the launch alone; ms, 0: at any time. */
  readonly firstWithinMs: number;
}

export interface X509Attestor {
  readonly type: 'x509';
  /** PEM of the authorities whose certificates are taken. */
  readonly authorities: string;
}

/** Asymmetric ones alone: with a shared secret whoever verifies could sign. */
export const jwtAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const;
export type JwtAlgorithm = (typeof jwtAlgorithms)[number];

/** What proofs must be made for, unless a policy says otherwise: no cluster can use those that were made for another. */
export function attestationAudience(trustDomain: string, cluster: string): string {
  return `isthmus/${trustDomain}/${cluster}`;
}
