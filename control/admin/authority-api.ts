import type { AuthorityStatus, InstallRequest, IntermediateRequest, RotateRequest, RotationStatus } from '../../core/admin/index.ts';
import type { Changed } from './changed.ts';

/**
 * What can be asked of the certificate authority. It knows nothing of callers or roles. Rejects with MeshError: CONFLICT where the
 * state does not allow what is asked, IDENTITY_INVALID for what does not fit, NOT_FOUND without a rotation.
 */
export interface AuthorityApi {
  status(): Promise<AuthorityStatus>;
  rotate(request: RotateRequest): Promise<Changed<RotationStatus>>;
  /** The same key until an answer is installed. */
  request(): Promise<IntermediateRequest>;
  install(request: InstallRequest): Promise<Changed<AuthorityStatus>>;
}
