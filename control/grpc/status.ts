import { type ServiceError, StatusBuilder, status } from '@grpc/grpc-js';
import { toMeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';

/** The gRPC status for anything thrown. INTERNAL keeps its details in the log. */
export function toStatus(error: unknown, log: Log): Partial<ServiceError> {
  const fault = toMeshError(error);
  const of = (code: status) => new StatusBuilder().withCode(code).withDetails(fault.message).build();
  switch (fault.code) {
    case 'IDENTITY_INVALID':
      return of(fault.retryable ? status.UNAVAILABLE : status.UNAUTHENTICATED);
    case 'PERMISSION_DENIED':
      return of(status.PERMISSION_DENIED);
    case 'CONFIG_INVALID':
    case 'PROTOCOL_ERROR':
      return of(status.INVALID_ARGUMENT);
    case 'LIMIT_EXCEEDED':
      return of(status.RESOURCE_EXHAUSTED);
    case 'FENCED':
      return of(status.ABORTED);
    case 'NOT_FOUND':
      return of(status.NOT_FOUND);
    case 'STORE_UNAVAILABLE':
    case 'CONFLICT':
      return of(status.UNAVAILABLE);
    default:
      log.error({ error: fault }, 'call failed');
      return new StatusBuilder().withCode(status.INTERNAL).withDetails('internal error: see the log of the control plane').build();
  }
}
