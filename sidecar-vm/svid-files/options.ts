import { isAbsolute } from 'node:path';
import { z } from 'zod';

const id = z.number().int().min(0).max(0xffff_fffe);

/** Where an SVID is kept as files for programs that know nothing of SPIFFE. */
export const svidFilesOption = z
  .array(
    z.strictObject({
      /** Absolute; made when it is not there. Nothing else should be in it. */
      dir: z.string().refine(isAbsolute, 'must be an absolute path'),
      /** Name of the identity. Default: the agent's own. */
      identity: z.string().default('default'),
      /** Of files and folder; giving them to somebody else takes CAP_CHOWN. Default: the agent's. */
      uid: id.optional(),
      gid: id.optional(),
      /** Of files, octal; whoever may read a file may go into the folder. Default 0600. */
      mode: z
        .string()
        .regex(/^0[0-6]{3}$/, 'must be octal, 0600')
        .default('0600'),
      /** Also keystore.p12 and truststore.p12, as Java reads them. The password keeps nobody out who may read agent.json. */
      pkcs12: z.strictObject({ password: z.string().min(6).max(128), alias: z.string().min(1).max(64).default('svid') }).optional(),
      /** Run, without a shell, after each renewal has been written: its first word is the program. */
      command: z.tuple([z.string().min(1)], z.string()).optional(),
    }),
  )
  .max(32)
  .default([])
  .refine((all) => new Set(all.map(({ dir }) => dir)).size === all.length, 'two of them have the same dir');
