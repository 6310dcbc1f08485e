import { type Static, Type } from 'typebox';
import { label, list, port, protocol, serviceName } from './common.ts';

export const JoinTokenRequest = Type.Object(
  {
    role: Type.Union([Type.Literal('workload'), Type.Literal('gateway'), Type.Literal('ingress')]),
    /** What a workload may register; needed for role workload. */
    service: Type.Optional(serviceName),
    /** The service port. */
    port: Type.Optional(port),
    protocol: Type.Optional(protocol),
    /** Others of its namespace that it may register as well, under the same identity. Default none. */
    also: Type.Optional(
      Type.Array(Type.Object({ service: serviceName, port: Type.Optional(port) }, { additionalProperties: false }), { maxItems: 63 }),
    ),
    /** Default: the service's name. */
    serviceAccount: Type.Optional(Type.String({ pattern: '^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?$' })),
    /** NAMESPACE/NAME of a WorkloadGroup, of the service's namespace. */
    group: Type.Optional(serviceName),
    /** Default: the group's, then the control plane's network. */
    network: Type.Optional(label),
    ttlMs: Type.Integer({ minimum: 1000, maximum: 30 * 86_400_000 }),
    maxUses: Type.Integer({ minimum: 1, maximum: 10_000 }),
    /** CIDRs of addresses that a workload or gateway may register; absent: the one that it is seen from, of a gateway any. */
    addresses: Type.Optional(Type.Array(Type.String({ pattern: '^[0-9a-fA-F.:]+(/[0-9]{1,3})?$' }), { maxItems: 100 })),
    /** Source ranges that may redeem it; empty: any. */
    cidrs: Type.Array(Type.String({ pattern: '^[0-9a-fA-F.:]+/[0-9]{1,3}$' }), { maxItems: 100 }),
  },
  { additionalProperties: false },
);
export type JoinTokenRequest = Static<typeof JoinTokenRequest>;

export const CreatedJoinToken = Type.Object({
  /** Secret. */
  token: Type.String(),
  id: Type.String(),
  spiffeId: Type.String(),
  expiresAt: Type.String(),
  maxUses: Type.Integer(),
});
export type CreatedJoinToken = Static<typeof CreatedJoinToken>;

/** With what the holders of an AttestationPolicy's proofs join. */
export const AttestorToken = Type.Object({
  /** No secret: where to go, and whom to trust there. */
  token: Type.String(),
  /** NAMESPACE/NAME. */
  attestor: Type.String(),
  /** Of the proofs that it takes. */
  type: Type.String(),
});
export type AttestorToken = Static<typeof AttestorToken>;

/** How far an instance has come. `none`: the question does not arise, as for an instance that serves nothing. */
const InstanceStage = Type.Object({
  stage: Type.Union([
    Type.Literal('attested'),
    Type.Literal('registered'),
    Type.Literal('healthy'),
    Type.Literal('selectable'),
    Type.Literal('reachable'),
  ]),
  ok: Type.Union([Type.Literal('yes'), Type.Literal('no'), Type.Literal('unknown'), Type.Literal('none')]),
  reason: Type.String(),
});

/** A workload or gateway that has attested. */
export const Instance = Type.Object({
  id: Type.String(),
  role: Type.Union([Type.Literal('workload'), Type.Literal('gateway')]),
  namespace: Type.String(),
  spiffeId: Type.String(),
  network: Type.String(),
  addresses: list(Type.String()),
  services: list(Type.String()),
  /** NAMESPACE/NAME of the WorkloadGroup that it joined. */
  group: Type.Optional(Type.String()),
  /** 0: it has not registered. */
  generation: Type.Integer(),
  /** It is forgotten when its agent has been silent for so long. Absent: it has not registered. */
  expireAfterMs: Type.Optional(Type.Number()),
  /** The furthest stage that it has reached, with all before it; `expired` when it is silent, `revoked` when it was taken back. */
  stage: Type.Union([InstanceStage.properties.stage, Type.Literal('expired'), Type.Literal('revoked')]),
  /** In their order: attested, registered, healthy, selectable, reachable. */
  stages: list(InstanceStage),
  /** ms since it registered, or attested if it has not. */
  ageMs: Type.Number(),
  /** Why it is no further. */
  reason: Type.Optional(Type.String()),
  /** What to do about that. */
  next: Type.Optional(Type.String()),
  /** What its SVIDs go back to, and how it was proven. */
  grant: Type.String(),
  attestor: Type.String(),
  /** End of its newest SVID, RFC 3339; absent where none is known. */
  notAfter: Type.Optional(Type.String()),
  /** Two machines present it by turns: where they were seen from. */
  cloneSuspected: Type.Optional(Type.String()),
});
export type Instance = Static<typeof Instance>;

export const InstanceList = Type.Object({ instances: list(Instance) });
export type InstanceList = Static<typeof InstanceList>;
