import { z } from 'zod';

const path = z.string().startsWith('/', 'must be an absolute path');

/**
 * What a process shows where its token holds no secret: `file`, a token or document that somebody else keeps new, or `cert` and `key`, PEM, a
 * certificate of an authority that the policy names and its key. Both are read anew each time that they are shown.
 */
export const proofOptions = z.union(
  [z.strictObject({ file: path }), z.strictObject({ cert: path, key: path })],
  'must hold file, or cert and key, as absolute paths',
);

export type ProofOptions = z.output<typeof proofOptions>;
