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
    /** Default: the service's name. */
    serviceAccount: Type.Optional(Type.String({ pattern: '^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?$' })),
    /** NAMESPACE/NAME of a WorkloadGroup, of the service's namespace. */
    group: Type.Optional(serviceName),
    /** Default: the group's, then the control plane's network. */
    network: Type.Optional(label),
    ttlMs: Type.Integer({ minimum: 1000, maximum: 30 * 86_400_000 }),
    maxUses: Type.Integer({ minimum: 1, maximum: 100_000 }),
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
  generation: Type.Integer(),
  /** The furthest stage reached. */
  stage: Type.Union([Type.Literal('attested'), Type.Literal('registered'), Type.Literal('healthy'), Type.Literal('expired')]),
  ageMs: Type.Number(),
  /** Why it is not healthy. */
  reason: Type.Optional(Type.String()),
});
export type Instance = Static<typeof Instance>;

export const InstanceList = Type.Object({ instances: list(Instance) });
export type InstanceList = Static<typeof InstanceList>;

export const Revoked = Type.Object({ instance: Type.String(), serials: list(Type.String()) });
export type Revoked = Static<typeof Revoked>;
