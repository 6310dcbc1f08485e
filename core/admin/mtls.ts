import { type Static, Type } from 'typebox';
import { list } from './common.ts';

const Count = Type.Integer({ minimum: 0 });
const Time = Type.Union([Type.String(), Type.Null()]);

const MtlsCaller = Type.Object({
  /** IP. */
  address: Type.String(),
  /** Services with an endpoint at that address, as far as the mesh knows; the first few. */
  known: list(Type.String()),
  connections: Count,
  /** By STRICT. */
  refused: Count,
  /** RFC 3339. */
  lastSeen: Type.String(),
});

const MtlsPort = Type.Object({
  /** NAMESPACE/NAME. */
  service: Type.String(),
  port: Type.Integer(),
  protocol: Type.String(),
  mode: Type.Union([Type.Literal('STRICT'), Type.Literal('PERMISSIVE'), Type.Literal('DISABLE')]),
  /** `PeerAuthentication NAMESPACE/NAME`; absent: the mesh's default. */
  decidedBy: Type.Optional(Type.String()),
  /** With an agent or a sidecar; and those of them that take callers without mesh at a port of their own. */
  instances: Count,
  exposed: Count,
  /** For how long all of those have counted, s; null: nobody counts. */
  countingSeconds: Type.Union([Type.Number(), Type.Null()]),
  plaintext: Type.Object({ connections: Count, requests: Count, refused: Count, lastSeen: Time }),
  mtls: Type.Object({ connections: Count, requests: Count }),
  /** In the clear, the latest first; at most 64. */
  callers: list(MtlsCaller),
  /** At least. */
  moreCallers: Count,
  /** Whether nobody would be cut by it: `no` when somebody called in the clear within the last hour. */
  strictIsSafe: Type.Union([Type.Literal('yes'), Type.Literal('no'), Type.Literal('unknown')]),
  reason: Type.String(),
});
export type MtlsPort = Static<typeof MtlsPort>;

/** GET /v1/mtls: what each service takes, and who still speaks plaintext to it. */
export const MtlsStatus = Type.Object({ ports: list(MtlsPort) });
export type MtlsStatus = Static<typeof MtlsStatus>;
