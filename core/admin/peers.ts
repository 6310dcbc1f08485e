import { type Static, Type } from 'typebox';
import { list } from './common.ts';
import { PeerStatus } from './status.ts';

export const InviteRequest = Type.Object(
  {
    /** Default 15 min. */
    ttlMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 86_400_000 })),
    /** HOST:PORT of the joiner, which this side then dials: for an inviter that cannot be dialled itself. */
    dial: Type.Optional(Type.String({ minLength: 3, maxLength: 300 })),
  },
  { additionalProperties: false },
);
export type InviteRequest = Static<typeof InviteRequest>;

export const Invite = Type.Object({
  id: Type.String(),
  /** Secret. */
  token: Type.String(),
  expiresAt: Type.String(),
});
export type Invite = Static<typeof Invite>;

export const JoinPeerRequest = Type.Object({ token: Type.String({ minLength: 16, maxLength: 16_384 }) }, { additionalProperties: false });
export type JoinPeerRequest = Static<typeof JoinPeerRequest>;

export const JoinedPeer = Type.Object({
  cluster: Type.String(),
  trustDomain: Type.String(),
  /** `pending`: the root is offline, its signature is waited for. */
  state: Type.Union([Type.Literal('joined'), Type.Literal('pending')]),
});
export type JoinedPeer = Static<typeof JoinedPeer>;

export const PeerList = Type.Object({ peers: list(PeerStatus) });
export type PeerList = Static<typeof PeerList>;

export const RemovedPeer = Type.Object({ cluster: Type.String(), services: Type.Integer(), endpoints: Type.Integer() });
export type RemovedPeer = Static<typeof RemovedPeer>;
