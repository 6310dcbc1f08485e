import { parseSniName, terminatedSubset } from '../../core/model/index.ts';
import type { ConnectionLimits } from '../../core/traffic/index.ts';
import type { HttpLimits } from '../context.ts';
import type { EndpointState } from '../state/index.ts';

/*
 * A gateway that passes mTLS through chooses a backend for each connection, not for each request. A caller that kept one
 * connection would stay with one backend for ever, so it keeps a few and replaces each after some use: the gateway's rotation
 * then gives every backend its share, also when there are more of them than connections.
 */

export type SpreadLimits = Pick<HttpLimits, 'gatewaySpread' | 'gatewayConnectionRequests' | 'gatewayConnectionMs'>;

/** How long one connection is used. */
export interface Lease {
  readonly requests: number;
  /** Monotonic ms. */
  readonly until: number;
}

const forEver: Lease = { requests: Number.POSITIVE_INFINITY, until: Number.POSITIVE_INFINITY };

/** Gateways that terminate choose a backend for each request; what is dialled directly is the backend. */
export function leadsToOneOfMany({ viaGateway, tls }: EndpointState): boolean {
  return viaGateway && tls !== undefined && terminatedSubset(parseSniName(tls.sni)?.subset ?? '') === undefined;
}

export interface LeaseRequest {
  /** Monotonic ms. */
  readonly now: number;
  /** Connections opened to this endpoint before. */
  readonly before: number;
  /** Uniform in [0, 1), one for all connections to this endpoint: see below. */
  readonly random: number;
}

/**
 * The first connections have shorter leases, so that later they end one at a time, oldest first: those that stand are then
 * neighbours in the gateway's rotation. Each endpoint has its own pace, between three and five quarters of the limits: callers
 * in step would each be given the same backend every time, by a rotation that goes through all of them.
 */
export function leaseOf(endpoint: EndpointState, limits: SpreadLimits, { now, before, random }: LeaseRequest): Lease {
  if (!leadsToOneOfMany(endpoint)) return forEver;
  const part = Math.min(1, (before + 1) / limits.gatewaySpread) * (0.75 + random / 2);
  return { requests: Math.max(1, Math.round(limits.gatewayConnectionRequests * part)), until: now + limits.gatewayConnectionMs * part };
}

/** No longer than the cluster's own limits say. */
export function shorter(lease: Lease, limits: ConnectionLimits | undefined, now: number): Lease {
  const { maxRequestsPerConnection = 0, maxConnectionDurationMs = 0 } = limits ?? {};
  return {
    requests: maxRequestsPerConnection > 0 ? Math.min(lease.requests, maxRequestsPerConnection) : lease.requests,
    until: maxConnectionDurationMs > 0 ? Math.min(lease.until, now + maxConnectionDurationMs) : lease.until,
  };
}

/** `served`: requests so far. Asked between requests: none is cut off. */
export function isOver(lease: Lease, served: number, now: number): boolean {
  return served >= lease.requests || now >= lease.until;
}

/** Whether one more is to be opened, while a request goes by one that stood and `idle` others wait. */
export function wantsAnother(endpoint: EndpointState, idle: number, limits: SpreadLimits): boolean {
  return idle + 1 < limits.gatewaySpread && leadsToOneOfMany(endpoint);
}
