import { type Static, Type } from 'typebox';
import { list } from './common.ts';

/** One other trust domain. Times in ms. */
export const FederationDomain = Type.Object({
  trustDomain: Type.String(),
  /** Whose policies may let its identities in; `*` for all. */
  namespaces: list(Type.String()),
  /**
   * `unknown`: no bundle was ever had. `stale`: the last attempts failed, the last good bundle is in use. `revoked`: it has taken all its keys back.
   * Of `unknown` and `revoked` nobody is let in.
   */
  state: Type.Union([Type.Literal('current'), Type.Literal('stale'), Type.Literal('unknown'), Type.Literal('revoked')]),
  authorities: list(Type.Object({ sha256: Type.String(), notAfter: Type.String() })),
  jwtKeys: Type.Integer(),
  /** In a row. */
  failures: Type.Integer(),
  endpoint: Type.Optional(Type.String()),
  profile: Type.Optional(Type.Union([Type.Literal('https_spiffe'), Type.Literal('https_web')])),
  bundleFile: Type.Optional(Type.String()),
  sequence: Type.Optional(Type.Integer()),
  /** Since somebody last said that it is so. */
  ageMs: Type.Optional(Type.Integer()),
  nextInMs: Type.Optional(Type.Integer()),
  error: Type.Optional(Type.String()),
});
export type FederationDomain = Static<typeof FederationDomain>;

export const Federation = Type.Object({ trustDomain: Type.String(), domains: list(FederationDomain) });
export type Federation = Static<typeof Federation>;

/** Our own bundle, as others fetch it. */
export const FederationBundle = Type.Object({
  trustDomain: Type.String(),
  /** A JWK Set. */
  document: Type.String(),
  etag: Type.String(),
  sequence: Type.Integer(),
});
export type FederationBundle = Static<typeof FederationBundle>;
