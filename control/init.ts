import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { ensureOwnerOnlyDir } from '../core/identity/index.ts';
import { accept, type Checked } from '../core/validate.ts';
import { apiTrustFile, createFirstAdmin } from './admin/index.ts';
import { loadConfig } from './config/index.ts';
import { openStore } from './store/index.ts';

export interface InitOptions {
  /** Files and folders, as for `isthmus control`. */
  readonly config: readonly string[];
  /** End an earlier first-admin credential that is still valid. */
  readonly replace: boolean;
  readonly clock: Clock;
}

export interface InitResult {
  readonly cluster: string;
  readonly stateDir: string;
  /** As configured: what the API will listen on. */
  readonly apiListen: string;
  /** Where the control plane will write what its API is to be trusted by. */
  readonly apiTrustFile: string;
  /** Secret; shown once. */
  readonly credential: string;
  /** Unix ms. */
  readonly credentialExpiresAt: number;
}

/**
 * Makes the state of a control plane that is not running, and the first admin's credential. Violations for a bad configuration;
 * MeshError CONFLICT when there is a valid credential and `replace` is not set, STORE_UNAVAILABLE while the control plane runs.
 */
export async function initControl(options: InitOptions): Promise<Checked<InitResult>> {
  const config = await loadConfig(options.config);
  if (!config.ok) return config;
  const { spec } = config.value.mesh;
  await ensureOwnerOnlyDir(spec.stateDir);
  const store = await openStore(spec, options.clock, Math.random);
  try {
    const random = (size: number) => randomBytes(size);
    const { secret, expiresAt } = await createFirstAdmin(store, { clock: options.clock, random, replace: options.replace });
    return accept({
      cluster: spec.cluster,
      stateDir: spec.stateDir,
      apiListen: spec.api.listen,
      apiTrustFile: apiTrustFile(spec.stateDir),
      credential: secret,
      credentialExpiresAt: expiresAt,
    });
  } finally {
    await store.close();
  }
}
