import { z } from 'zod';
import { longestGrpcService } from '../../core/grpc-health.ts';

const ms = z.number().int().positive();
const status = z.number().int().min(100, 'must be 100-599').max(599, 'must be 100-599');
/** Where the app answers checks. Default: its own port. */
const port = z.number().int().min(1, 'must be 1-65535').max(65_535, 'must be 1-65535').optional();
const threshold = z.number().int().min(1).max(1_000);

const probe = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('http'),
    path: z.string().regex(/^\/\S*$/, 'must be a path'),
    port,
    /** The Host header. Default: the app's address and port. */
    host: z
      .string()
      .regex(/^[\w.:[\]-]{1,255}$/, 'must be a host name')
      .optional(),
    /** Statuses that pass. Default 200-399. */
    statuses: z
      .array(z.strictObject({ from: status, to: status }).refine(({ from, to }) => from <= to, 'must begin before it ends'))
      .min(1)
      .max(16)
      .default([{ from: 200, to: 399 }]),
  }),
  z.strictObject({ kind: z.literal('tcp'), port }),
  /** grpc.health.v1, without TLS. `service`: empty asks for the whole server. */
  z.strictObject({ kind: z.literal('grpc'), service: z.string().max(longestGrpcService).default(''), port }),
  /** Run without a shell, as the agent's user; exit 0 passes. What it has started ends with the time limit. */
  z.strictObject({ kind: z.literal('exec'), command: z.tuple([z.string()], z.string()) }),
]);

export const healthOptions = z.strictObject({
  probe,
  /** Between the end of one check and the start of the next. Default 1,000. */
  intervalMs: ms.default(1_000),
  /** Default 1,000. */
  timeoutMs: ms.default(1_000),
  /** Passes in a row, default 1. */
  healthy: threshold.default(1),
  /** Failures in a row, default 2. */
  unhealthy: threshold.default(2),
});

export type ProbeOptions = z.output<typeof probe>;

/** A connection to the app's port. */
export const usualHealth = { probe: { kind: 'tcp' as const }, intervalMs: 1_000, timeoutMs: 1_000, healthy: 1, unhealthy: 2 };
