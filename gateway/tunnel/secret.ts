import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readIfThere, writeOwnerOnly } from '../../core/identity/index.ts';

/** What only this instance can say when it begins a tunnel. */
export interface TunnelSecret {
  /** base64url. */
  readonly secret: string;
  /** What is registered. */
  readonly sha256: Buffer;
}

/** Of this state directory, over restarts: gateways know it while the control plane is away. Made, and durable, at the first call. */
export async function loadTunnelSecret(stateDir: string): Promise<TunnelSecret> {
  const path = join(stateDir, 'tunnel-secret');
  let secret = (await readIfThere(path))?.trim() ?? '';
  if (!/^[A-Za-z0-9_-]{43}$/.test(secret)) {
    secret = randomBytes(32).toString('base64url');
    await writeOwnerOnly(path, `${secret}\n`);
  }
  return { secret, sha256: createHash('sha256').update(secret).digest() };
}
