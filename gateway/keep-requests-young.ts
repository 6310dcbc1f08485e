import { setFlagsFromString } from 'node:v8';

/**
 * For the whole process: V8 is not to decide by itself that what requests are made of lives long. Under a load that queues up for a
 * moment it does: from then on it makes such objects among the old ones, where they keep everything of their request until a full
 * collection. Measured, that was 10 KiB a request, a fifth of the CPU, and pauses of 50 ms (docs/decisions/http-cost.md).
 */
export function keepRequestsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
