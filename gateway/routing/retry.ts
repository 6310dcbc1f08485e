import type { RetryCondition, RetryPolicy } from '../../core/traffic/index.ts';

/** How one try ended, in the words that conditions need. */
export type TryEnd =
  /** `grpcStatus`: of an answer that is trailers alone. */
  | { readonly kind: 'answer'; readonly status: number; readonly grpcStatus?: number; readonly rateLimited: boolean }
  /** `connect`: no connection, or no application behind it. `refused-stream`: the server says that it did nothing. */
  | { readonly kind: 'reset'; readonly by: 'connect' | 'refused-stream' | 'reset' | 'try-timeout'; readonly delivered: boolean };

const grpcConditions: Readonly<Record<number, RetryCondition>> = {
  1: 'cancelled',
  4: 'deadline-exceeded',
  8: 'resource-exhausted',
  13: 'internal',
  14: 'unavailable',
};

/** Whether the policy's conditions name this end (Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on). Pure. */
export function isRetriable(policy: RetryPolicy, end: TryEnd): boolean {
  const on = (condition: RetryCondition) => policy.on.includes(condition);
  if (end.kind === 'reset') {
    if (on('5xx') || on('gateway-error') || on('reset')) return true;
    if (end.by === 'refused-stream') return on('refused-stream') || on('reset-before-request');
    if (end.by === 'connect') return on('connect-failure') || on('reset-before-request');
    return !end.delivered && on('reset-before-request');
  }
  const { status, grpcStatus, rateLimited } = end;
  if (rateLimited) return false;
  if (status >= 500 && status <= 599 && on('5xx')) return true;
  if (status >= 502 && status <= 504 && on('gateway-error')) return true;
  if (status === 409 && on('retriable-4xx')) return true;
  if (on('retriable-status-codes') && policy.statusCodes.includes(status)) return true;
  const condition = grpcStatus === undefined ? undefined : grpcConditions[grpcStatus];
  return condition !== undefined && on(condition);
}

const defaultBackoffMs = 25;

/** Before the `retry`th retry, counted from 1: full jitter up to (2^n - 1) times the base, and never over ten times it. `random` in [0, 1). */
export function backoffMs(policy: RetryPolicy, retry: number, random: number): number {
  const base = policy.backoffMs ?? defaultBackoffMs;
  return random * Math.min(base * (2 ** retry - 1), base * 10);
}
