import { type Static, Type } from 'typebox';
import { list } from './common.ts';

/** What is to be revoked: exactly one of `target` and `token`. */
export const RevokeRequest = Type.Object(
  {
    /** An instance, by its id or as NAMESPACE/SERVICE_ACCOUNT/INSTANCE, or the serial of one of its SVIDs in hex. */
    target: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
    /** Id of a join token: it, and all that was granted on it. */
    token: Type.Optional(Type.String({ pattern: '^[0-9a-f]{1,64}$' })),
    /** Says what it would do. */
    dryRun: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type RevokeRequest = Static<typeof RevokeRequest>;

export const Revocation = Type.Object({
  dryRun: Type.Boolean(),
  /** All of it was revoked before. */
  already: Type.Boolean(),
  token: Type.Optional(Type.String()),
  instances: list(Type.Object({ id: Type.String(), spiffeId: Type.String(), grant: Type.String() })),
  /** SVIDs that verifiers refuse from now on, lower-case hex. */
  serials: list(Type.String()),
  /** Registrations that went, and their endpoints with them. */
  registrations: Type.Integer(),
  /** Until when proxyless gRPC servers take those SVIDs, which no list reaches; absent when none is left. RFC 3339. */
  proxylessUntil: Type.Optional(Type.String()),
  /** Join tokens with which whoever holds them can still join anew. */
  openTokens: list(Type.String()),
});
export type Revocation = Static<typeof Revocation>;

/** Who may still take what was revoked. */
export const RevocationStatus = Type.Object({
  /** Serials that verifiers refuse, of this cluster and its peers. */
  denied: Type.Integer(),
  /** Proxies that have not acknowledged all that they are told, or are not connected. */
  laggards: list(Type.Object({ instance: Type.String(), identity: Type.String(), dialect: Type.String(), reason: Type.String() })),
  /** Proxyless gRPC servers: no list reaches them. */
  proxyless: list(Type.String()),
});
export type RevocationStatus = Static<typeof RevocationStatus>;
