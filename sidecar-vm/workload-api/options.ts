import { isAbsolute } from 'node:path';
import { z } from 'zod';

/** Absent: there is none. */
export const workloadApiOption = z
  .strictObject({
    /** Absolute; at most 107 bytes. Its folder must let the programs through that are to use it. Default /run/isthmus/workload.sock. */
    socket: z.string().refine(isAbsolute, 'must be an absolute path').default('/run/isthmus/workload.sock'),
  })
  .optional();
