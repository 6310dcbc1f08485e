import { type Static, Type } from 'typebox';
import { list } from './common.ts';

const oneOf = <const T extends readonly string[]>(...words: T) =>
  Type.Unsafe<T[number]>(Type.Union(words.map((word) => Type.Literal(word))));
const name = Type.String({ minLength: 1, maxLength: 512 });
const pem = Type.String({ minLength: 1, maxLength: 65_536 });
const closed = { additionalProperties: false };

/** A certificate of the authority. Times are RFC 3339. */
export const AuthorityCertificate = Type.Object({
  /** `root`, `intermediate` (signs now), `staged` (announced, signs next), `previous` (of an earlier key, still in use), `peer`. */
  kind: oneOf('root', 'intermediate', 'staged', 'previous', 'peer'),
  /** Cluster that signs with it; empty for roots. */
  cluster: Type.String(),
  /** SHA-256, lower-case hex. */
  fingerprint: Type.String(),
  /** Of the root over it; empty for roots. */
  root: Type.String(),
  serial: Type.String(),
  notAfter: Type.String(),
  /** Its key is here. */
  online: Type.Boolean(),
  /** Less than a third of its life is left. Never of a signing certificate that another has replaced: nobody renews it. */
  endsSoon: Type.Boolean(),
});
export type AuthorityCertificate = Static<typeof AuthorityCertificate>;

const RotationPhaseName = oneOf('prepare', 'distribute', 'sign', 'retire', 'done', 'aborted');

export const RotationStatus = Type.Object({
  id: Type.String(),
  phase: RotationPhaseName,
  /** On the way back to the root that was there before. */
  aborting: Type.Boolean(),
  startedAt: Type.String(),
  from: Type.String(),
  /** Empty before the new root is made. */
  to: Type.String(),
  step: Type.Boolean(),
  /** Nobody is missing, and it waits for `continue`. */
  asks: Type.Boolean(),
  without: list(Type.String()),
  force: Type.Boolean(),
  /** Who keeps the phase from ending. */
  missing: list(Type.Object({ cluster: Type.String(), name: Type.String(), reason: Type.String(), offline: Type.Boolean() })),
  history: list(Type.Object({ phase: RotationPhaseName, at: Type.String() })),
});
export type RotationStatus = Static<typeof RotationStatus>;

export const AuthorityStatus = Type.Object({
  cluster: Type.String(),
  trustDomain: Type.String(),
  /** It can issue. */
  ready: Type.Boolean(),
  /** It needs a signing certificate, and no root that signs is online here. */
  needsSignature: Type.Boolean(),
  /** Of the statement about roots that is in force; 0: none was ever made. */
  version: Type.Integer(),
  /** Fingerprint of the root that signs; empty: nobody has said. */
  signingRoot: Type.String(),
  certificates: list(AuthorityCertificate),
  /** What verifies JWT-SVIDs. */
  jwtKeys: list(
    Type.Object({
      /** Cluster that signs with it. */
      cluster: Type.String(),
      keyId: Type.String(),
      /** `signs`, `next` (published, signs later), `previous` (its tokens may still live), `peer`. */
      state: oneOf('signs', 'next', 'previous', 'peer'),
      /** Whose identities it may sign for; `*`: all. */
      namespaces: list(Type.String()),
      notAfter: Type.String(),
    }),
  ),
  /** Who holds, presents or meets what is under another root, here. */
  holding: list(Type.Object({ name: Type.String(), reason: Type.String(), offline: Type.Boolean() })),
  /** Agents and gateways whose SVID should have been renewed by now, those that end first in front. */
  late: list(
    Type.Object({
      instance: Type.String(),
      identity: Type.String(),
      /** RFC 3339. */
      notAfter: Type.String(),
      /** It has ended. */
      ended: Type.Boolean(),
      /** `silent`: it was heard once and is not any more, so it is off, or cut off. `unregistered`: it has never said more than its proof. */
      agent: oneOf('heard', 'silent', 'unregistered'),
    }),
  ),
  /** The one that is driven from here; null: none was. */
  rotation: Type.Union([RotationStatus, Type.Null()]),
});
export type AuthorityStatus = Static<typeof AuthorityStatus>;

export const RotateRequest = Type.Object(
  {
    action: oneOf('start', 'continue', 'abort'),
    /** Wait for `continue` before each phase. */
    step: Type.Optional(Type.Boolean()),
    without: Type.Optional(Type.Array(name, { maxItems: 256 })),
    force: Type.Optional(Type.Boolean()),
    /** Of the new root: its key and certificate, PEM; secret. Absent: one is made. */
    newRootKey: Type.Optional(pem),
  },
  closed,
);
export type RotateRequest = Static<typeof RotateRequest>;

/** PKCS#10 for this cluster's next signing certificate, PEM. */
export const IntermediateRequest = Type.Object({ cluster: Type.String(), trustDomain: Type.String(), csr: Type.String() });
export type IntermediateRequest = Static<typeof IntermediateRequest>;

export const InstallRequest = Type.Object({ certificate: pem, roots: Type.Array(pem, { minItems: 1, maxItems: 8 }) }, closed);
export type InstallRequest = Static<typeof InstallRequest>;
