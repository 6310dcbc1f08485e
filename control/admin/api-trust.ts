import { join } from 'node:path';

/**
 * Where a control plane keeps, in PEM, what its API is trusted by: the roots, and the stand-in certificate that it presents before it has
 * joined a mesh. The commands of the same machine read it at each call.
 */
export function apiTrustFile(stateDir: string): string {
  return join(stateDir, 'api-ca.pem');
}
