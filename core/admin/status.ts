import { type Static, Type } from 'typebox';
import { list } from './common.ts';
import { DriftSummary } from './drift.ts';

const SourceStatus = Type.Object({
  /** Own cluster, or the peer that the data came from. */
  cluster: Type.String(),
  source: Type.String(),
  runtime: Type.String(),
  state: Type.Union([Type.Literal('unknown'), Type.Literal('live'), Type.Literal('stale'), Type.Literal('expired')]),
  /** Of the data; null: there never was any. */
  ageMs: Type.Union([Type.Number(), Type.Null()]),
  services: Type.Integer(),
  endpoints: Type.Integer(),
  /** Why it is not live. */
  error: Type.Optional(Type.String()),
});
export type SourceStatus = Static<typeof SourceStatus>;

/** Endpoints of one service by where they are. */
const EndpointGroup = Type.Object({
  cluster: Type.String(),
  runtime: Type.String(),
  source: Type.String(),
  network: Type.String(),
  healthy: Type.Integer(),
  unhealthy: Type.Integer(),
  draining: Type.Integer(),
  /** Of the above, how many are of a source that is lost. */
  stale: Type.Integer(),
});
export type EndpointGroup = Static<typeof EndpointGroup>;

export const ServiceStatus = Type.Object({
  namespace: Type.String(),
  name: Type.String(),
  hosts: list(Type.String()),
  ports: list(
    Type.Object({
      name: Type.String(),
      port: Type.Integer(),
      protocol: Type.String(),
      /** Where callers without a sidecar find it on this cluster's gateways. */
      gatewayPort: Type.Optional(Type.Integer()),
    }),
  ),
  /** Clusters that may see it; empty: not exported. */
  audience: list(Type.String()),
  endpoints: list(EndpointGroup),
});
export type ServiceStatus = Static<typeof ServiceStatus>;

export const PeerStatus = Type.Object({
  cluster: Type.String(),
  state: Type.Union([Type.Literal('connected'), Type.Literal('connecting'), Type.Literal('lost'), Type.Literal('pending')]),
  /** Who dialled the connection that stands. */
  dialledBy: Type.Union([Type.Literal('us'), Type.Literal('them'), Type.Literal('nobody')]),
  dataAgeMs: Type.Union([Type.Number(), Type.Null()]),
  addresses: list(Type.String()),
  version: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
});
export type PeerStatus = Static<typeof PeerStatus>;

/** A gateway, agent or workload that takes its configuration from this control plane. */
const ClientStatus = Type.Object({
  instance: Type.String(),
  role: Type.String(),
  /** native, envoy or grpc. */
  dialect: Type.String(),
  /** What moves the bytes of our own proxy: native or node; absent: it carries none. */
  engine: Type.Optional(Type.String()),
  identity: Type.String(),
  network: Type.String(),
  connected: Type.Boolean(),
  /** Since it last said anything. */
  ageMs: Type.Number(),
  /** Of what it runs on: since it last held all there is for it, as it is today; 0: it does now. What it refuses counts. */
  dataAgeMs: Type.Number(),
  resources: Type.Integer(),
  /** ms since it last reported what traffic it carries; absent: it never has, or not for an hour. */
  telemetryAgeMs: Type.Optional(Type.Number()),
  /** Requests and connections that it could not report. */
  telemetryDropped: Type.Optional(Type.Integer()),
  /** Of Envoys, since the control plane first heard of them: what was sent to endpoints (retries and copies for mirrors too), failed, or dropped at a limit. */
  load: Type.Optional(
    Type.Object({
      ageMs: Type.Number(),
      sent: Type.Integer(),
      failed: Type.Integer(),
      dropped: Type.Integer(),
      inProgress: Type.Integer(),
    }),
  ),
  /** Resources that it refused, in its own words, each kept from it at that version. */
  refused: list(Type.Object({ type: Type.String(), name: Type.String(), version: Type.String(), reason: Type.String() })),
});
export type ClientStatus = Static<typeof ClientStatus>;

const GatewayStatus = Type.Object({
  cluster: Type.String(),
  network: Type.String(),
  instance: Type.String(),
  addresses: list(Type.String()),
  port: Type.Integer(),
  healthy: Type.Boolean(),
  draining: Type.Boolean(),
  /** What moves its bytes: `native`, `node` or `envoy`. Absent: its version does not say. */
  engine: Type.Optional(Type.String()),
});
export type GatewayStatus = Static<typeof GatewayStatus>;

const CertificateStatus = Type.Object({
  name: Type.String(),
  kind: Type.Union([Type.Literal('root'), Type.Literal('intermediate'), Type.Literal('svid')]),
  notAfter: Type.String(),
  state: Type.Union([Type.Literal('ok'), Type.Literal('expiring'), Type.Literal('expired')]),
});
export type CertificateStatus = Static<typeof CertificateStatus>;

const Conflict = Type.Object({
  /** NameCollision, PortConflict, PublishConflict, ... */
  kind: Type.String(),
  subject: Type.String(),
  message: Type.String(),
});
export type Conflict = Static<typeof Conflict>;

const FindingStatus = Type.Object({
  /** `error` or `warning`. */
  severity: Type.String(),
  code: Type.String(),
  /** KIND NAMESPACE/NAME. */
  object: Type.String(),
  path: Type.String(),
  message: Type.String(),
});

/** What analysis finds wrong with the traffic objects in force. */
const FindingsStatus = Type.Object({
  errors: Type.Integer(),
  warnings: Type.Integer(),
  /** A few, errors before warnings; all of them are with their objects, in GET /v1/objects. */
  first: list(FindingStatus),
});
export type FindingsStatus = Static<typeof FindingsStatus>;

export const Status = Type.Object({
  cluster: Type.String(),
  trustDomain: Type.String(),
  network: Type.String(),
  version: Type.String(),
  time: Type.String(),
  /** The caller may see some namespaces only: what concerns the whole mesh was left out. */
  partial: Type.Boolean(),
  sources: list(SourceStatus),
  services: list(ServiceStatus),
  peers: list(PeerStatus),
  gateways: list(GatewayStatus),
  clients: list(ClientStatus),
  certificates: list(CertificateStatus),
  conflicts: list(Conflict),
  /** What clusters hold of each other's objects; absent in an answer that is partial. */
  drift: Type.Optional(DriftSummary),
  /** Absent in an answer that is partial. */
  findings: Type.Optional(FindingsStatus),
  /** Of the configuration files as they are now, when a reload was refused. */
  configViolations: list(Type.String()),
});
export type Status = Static<typeof Status>;
