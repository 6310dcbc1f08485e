/**
 * Every way a broken world shows itself. Closed: scripts, metrics and exit codes depend on these names.
 * Bad input is not here: it comes back as violations (core/validate.ts).
 */
export type MeshErrorCode =
  | 'ABORTED' // the caller gave up
  | 'CONFLICT' // somebody else owns or changed it: read again
  | 'COMPACTED' // the revision asked for is gone: start from a new snapshot
  | 'CONFIG_INVALID' // a file or object was refused whole; the message lists everything that is wrong
  | 'DEADLINE_EXCEEDED'
  | 'FENCED' // a newer generation or leader has taken over
  | 'IDENTITY_INVALID' // a certificate, token or proof that does not hold
  | 'INTERNAL' // a bug in Isthmus
  | 'LIMIT_EXCEEDED' // size, count or rate
  | 'NOT_FOUND'
  | 'PEER_UNREACHABLE'
  | 'PERMISSION_DENIED'
  | 'PORT_TAKEN'
  | 'PROTOCOL_ERROR' // the other side does not keep to its protocol
  | 'REGISTRY_REFUSED' // credentials or rights
  | 'REGISTRY_UNREACHABLE'
  | 'SNAPSHOT_INCONSISTENT'
  | 'STORE_UNAVAILABLE'
  | 'UNSUPPORTED' // this operating system, kernel or build cannot do it
  | 'UPSTREAM_UNREACHABLE';

export interface MeshErrorOptions {
  /** Whether the same call may succeed later without anybody changing anything. Default false. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** The one error that crosses seams. The message says what happened and what to check next, and holds no secret. */
export class MeshError extends Error {
  readonly code: MeshErrorCode;
  readonly retryable: boolean;

  constructor(code: MeshErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MeshError';
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** Gives anything thrown a code, so that nothing crosses a seam unclassified. */
export function toMeshError(error: unknown, code: MeshErrorCode = 'INTERNAL', context = ''): MeshError {
  if (error instanceof MeshError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new MeshError(code, context === '' ? text : `${context}: ${text}`, { cause: error });
}
