import type { AuthzRule, TokenRule } from '../../core/authz/index.ts';
import type { ServiceKey } from '../../core/model/index.ts';
import type { CatalogView, MergedService } from '../catalog/index.ts';
import type { ServiceMtls } from './mtls-modes.ts';

/** Who may call one service. Deny rules first; then, if any allow rule matches, allowed; otherwise refused. */
export interface ServiceAuthz {
  readonly service: ServiceKey;
  readonly rules: readonly AuthzRule[];
  /** The AuthorizationPolicies that select it, for explain. Absent: none. */
  readonly selectedBy?: SelectingPolicies;
  /** Of the RequestAuthentications that select it. Absent: none. */
  readonly tokens?: readonly TokenRule[];
  /** What its plain listeners take. Absent: mTLS alone. */
  readonly mtls?: ServiceMtls;
}

/** Names are `NAMESPACE/NAME`, in the order in which they were evaluated. */
export interface SelectingPolicies {
  readonly deny: readonly string[];
  /** A caller must match one of these, if there are any. */
  readonly allow: readonly string[];
  readonly audit: readonly string[];
  /** The rules as they were without these policies: what a caller must pass besides. */
  readonly base: readonly AuthzRule[];
}

/** One policy kind: a pure step that adds to what the ones before it said. */
export interface Policy {
  readonly name: string;
  /** Returns `draft` itself where it has nothing to say. No clock, no network, no randomness. */
  apply(draft: ServiceAuthz, service: MergedService, view: CatalogView): ServiceAuthz;
  /** What of its objects does not come about. Absent: it never says. Costs a look at every service. */
  findings?(view: CatalogView): readonly PolicyFinding[];
}

/** See Finding in control/routing. */
export interface PolicyFinding {
  readonly severity: 'error' | 'warning';
  /** Stable word: conflict, mixed-modes, no-plain-listener, selects-nothing, ... */
  readonly code: string;
  readonly object: { readonly kind: string; readonly namespace: string; readonly name: string };
  /** Dotted, into the object. */
  readonly path: string;
  readonly message: string;
}
