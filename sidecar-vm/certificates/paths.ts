import { join } from 'node:path';

/** In the state directory: certificates of proxyless programs, and the socket on which they get their xDS. */
export function grpcFiles(stateDir: string) {
  const dir = join(stateDir, 'certificates');
  return { dir, socket: join(dir, 'xds.sock') };
}
