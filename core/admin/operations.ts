import { type Static, Type } from 'typebox';
import { list } from './common.ts';

/** What this cluster has written outside its own state, and what removing it means. */
export const UninstallPlan = Type.Object({
  /** In order: each step leaves a mesh that still answers for what is left. */
  steps: list(
    Type.Object({
      /** Registry, peer, ... */
      where: Type.String(),
      action: Type.String(),
      /** Records concerned. */
      subjects: list(Type.String()),
    }),
  ),
  /** Who would notice. */
  warnings: list(Type.String()),
});
export type UninstallPlan = Static<typeof UninstallPlan>;

export const UninstallRequest = Type.Object(
  {
    /** The cluster's name, so that nobody uninstalls the wrong one. */
    cluster: Type.String({ minLength: 1, maxLength: 63 }),
  },
  { additionalProperties: false },
);
export type UninstallRequest = Static<typeof UninstallRequest>;

export const UninstallResult = Type.Object({ removed: Type.Integer(), conflicts: list(Type.String()) });
export type UninstallResult = Static<typeof UninstallResult>;

/** Asks a control plane with an online root to sign a cluster's intermediate. */
export const SignRequest = Type.Object(
  {
    cluster: Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' }),
    /** PKCS#10 in PEM. */
    csr: Type.String({ minLength: 1, maxLength: 16_384 }),
  },
  { additionalProperties: false },
);
export type SignRequest = Static<typeof SignRequest>;

export const SignedIntermediate = Type.Object({
  /** PEM. */
  certificate: Type.String(),
  roots: list(Type.String()),
  notAfter: Type.String(),
});
export type SignedIntermediate = Static<typeof SignedIntermediate>;
