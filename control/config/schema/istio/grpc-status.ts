import { z } from 'zod';
import { didYouMean } from '../../../../core/yaml/index.ts';

/** By number; gRPC's doc/statuscodes.md. */
const names = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

/** A name, or its number. */
export const grpcStatus = z.string().transform((text, ctx) => {
  const found = names.findIndex((name, code) => name === text || String(code) === text);
  if (found >= 0) return found;
  ctx.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 40))} is no status of gRPC${didYouMean(text, names)}` });
  return z.NEVER;
});
