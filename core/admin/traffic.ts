import { type Static, Type } from 'typebox';
import { list } from './common.ts';

const Count = Type.Integer({ minimum: 0 });
const Counts = Type.Record(Type.String(), Count);

const TrafficItem = Type.Object({
  /** Who counted: source, destination or gateway. */
  reporter: Type.String(),
  /** Principal without the scheme; empty: unknown. */
  source: Type.String(),
  sourceCluster: Type.String(),
  /** Name of the rule that was followed; empty: none. */
  route: Type.String(),
  /** NAMESPACE/NAME, or the host where it is no service of the mesh; empty: the proxy answered itself. */
  destination: Type.String(),
  port: Type.Integer(),
  subset: Type.String(),
  /** Of the endpoints: mesh cluster, locality, runtime; empty: none was reached. */
  cluster: Type.String(),
  locality: Type.String(),
  runtime: Type.String(),
  viaGateway: Type.Boolean(),
  /** Of nobody in particular: counted together, because there were too many to tell apart. */
  folded: Type.Boolean(),
  requests: Count,
  /** Byte streams that ended. */
  connections: Count,
  /** At endpoints: first tries, retries, and copies for mirrors. Where there were retries, all are with the endpoints that answered last. */
  attempts: Count,
  bytesReceived: Count,
  bytesSent: Count,
  /** By HTTP status; 0: none was sent. */
  codes: Counts,
  grpcCodes: Counts,
  /** By Envoy's response flag. */
  flags: Counts,
  /** Share of requests, in [0, 1], with a status from 100 to 499; null: no requests. */
  success: Type.Union([Type.Number(), Type.Null()]),
  /** ms, of requests, each off by 9 % at most; null: no requests. */
  latency: Type.Union([Type.Object({ p50: Type.Number(), p90: Type.Number(), p99: Type.Number(), mean: Type.Number() }), Type.Null()]),
  /** RFC 3339, to 30 s. */
  firstAt: Type.String(),
  lastAt: Type.String(),
});
export type TrafficItem = Static<typeof TrafficItem>;

/** GET /v1/traffic. What is not in it was not seen; whether anybody looked is in `since` and `reporters`. */
export const Traffic = Type.Object({
  /** RFC 3339: from here on it is known; later than was asked for where this control plane started later. */
  since: Type.String(),
  until: Type.String(),
  /** Seconds between the two. */
  seconds: Type.Number(),
  /** Proxies that report. */
  reporters: Type.Integer(),
  /** Keys that had to be counted together since the control plane started. */
  foldedKeys: Type.Integer(),
  flows: list(TrafficItem),
});
export type Traffic = Static<typeof Traffic>;
