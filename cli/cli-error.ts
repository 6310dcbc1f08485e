import { MeshError, type MeshErrorCode } from '../core/errors.ts';
import { type ExitCode, exitCode } from './exit-codes.ts';

/** A failure as the user sees it: what happened, and what to do next. */
export class CliError extends Error {
  readonly exit: ExitCode;
  readonly code: string;
  /** One sentence; empty when the message says it already. */
  readonly next: string;

  constructor(exit: ExitCode, code: string, message: string, next = '') {
    super(message);
    this.name = 'CliError';
    this.exit = exit;
    this.code = code;
    this.next = next;
  }
}

/** Of what is not here: 1, failed. */
export const exitOf: Partial<Record<MeshErrorCode, ExitCode>> = {
  CONFIG_INVALID: exitCode.invalid,
  IDENTITY_INVALID: exitCode.refused,
  PERMISSION_DENIED: exitCode.refused,
  REGISTRY_REFUSED: exitCode.refused,
  PEER_UNREACHABLE: exitCode.unreachable,
  REGISTRY_UNREACHABLE: exitCode.unreachable,
  UPSTREAM_UNREACHABLE: exitCode.unreachable,
};

export function toCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof MeshError) return new CliError(exitOf[error.code] ?? exitCode.failed, error.code, error.message);
  const { message, code } = error as { message?: string; code?: unknown };
  if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR')
    return new CliError(exitCode.invalid, String(code), String(message), 'check the path and its rights');
  return new CliError(
    exitCode.failed,
    'INTERNAL',
    message ?? String(error),
    'this is a bug in isthmus: please report it with the command line',
  );
}
