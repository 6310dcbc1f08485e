import { join } from 'node:path';
import { writeOwnerOnly } from '../../core/identity/index.ts';

/** What the commands on this machine pin the API's certificate to; they read it at each call. */
export function apiTrustFile(stateDir: string): string {
  return join(stateDir, 'api-ca.pem');
}

/**
 * To be called at start and whenever it changes: the PEM of the roots, or, before the cluster has joined a mesh, of the very
 * certificate that the API presents.
 */
export async function writeApiTrust(stateDir: string, pem: string): Promise<void> {
  await writeOwnerOnly(apiTrustFile(stateDir), pem);
}
