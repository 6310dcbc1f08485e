import { type ClientUnaryCall, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { MeshError, type MeshErrorCode } from '../errors.ts';

export type UnaryMethod<Request, Reply> = (
  request: Request,
  metadata: Metadata,
  options: { deadline: Date },
  callback: (error: ServiceError | null, reply: Reply) => void,
) => ClientUnaryCall;

/** One call with a deadline, cancelled by `signal`. Rejects with a MeshError (`fromStatus`), ABORTED for the signal. */
export function unary<Request, Reply>(
  method: UnaryMethod<Request, Reply>,
  request: Request,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new MeshError('ABORTED', 'aborted'));
    // gRPC's deadlines are on the system's clock, whatever clock decides when to call.
    const call = method(request, new Metadata(), { deadline: new Date(Date.now() + deadlineMs) }, (error, reply) => {
      signal.removeEventListener('abort', cancel);
      if (error === null) resolve(reply);
      else reject(signal.aborted ? new MeshError('ABORTED', 'aborted', { cause: error }) : fromStatus(error));
    });
    const cancel = () => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
  });
}

/** What a gRPC failure means here. Certificates that were refused look like an unreachable server to gRPC: the details say so. */
export function fromStatus(error: ServiceError): MeshError {
  const of = (code: MeshErrorCode, retryable: boolean) => new MeshError(code, error.details, { retryable, cause: error });
  switch (error.code) {
    case status.UNAUTHENTICATED:
      return of('IDENTITY_INVALID', false);
    case status.PERMISSION_DENIED:
      return of('PERMISSION_DENIED', false);
    case status.INVALID_ARGUMENT:
      return of('PROTOCOL_ERROR', false);
    case status.RESOURCE_EXHAUSTED:
      return of('LIMIT_EXCEEDED', true);
    case status.ABORTED:
      return of('FENCED', false);
    case status.DEADLINE_EXCEEDED:
      return of('DEADLINE_EXCEEDED', true);
    case status.UNIMPLEMENTED:
      return of('PROTOCOL_ERROR', false);
    default:
      return of('PEER_UNREACHABLE', true);
  }
}
