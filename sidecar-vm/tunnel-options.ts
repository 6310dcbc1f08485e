import { z } from 'zod';

/**
 * Of a machine that nobody can dial, as behind a NAT: it dials gateways of its cluster, and serves through those connections. Default
 * `off`: others dial its address.
 */
export const tunnelOptions = z
  .union([
    z.literal('off'),
    z.strictObject({
      /** To how many gateways, 1-8. Default 2. */
      gateways: z.number().int().min(1).max(8).default(2),
    }),
  ])
  .default('off');
