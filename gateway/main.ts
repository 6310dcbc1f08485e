import { ensureOwnerOnlyDir } from '../core/identity/index.ts';
import type { GatewayDeps, RunningGateway } from './contract.ts';
import { Gateway } from './gateway.ts';
import type { GatewayOptions } from './options.ts';

export type { GatewayStatus, ListenAddress } from './admin/index.ts';
export type { GatewayDeps, RunningGateway } from './contract.ts';
export type { GatewayOptions, GatewayOptionsInput } from './options.ts';
export { parseGatewayOptions } from './options.ts';

/**
 * Resolves when the gateway has its identity (from disk, or as soon as a control plane answers) and listens; `status().ready`
 * says when it has something to serve. Aborting `signal` drains it, or gives up while it still starts. Rejects, with everything
 * closed, with MeshError CONFIG_INVALID (token unreadable), IDENTITY_INVALID or PERMISSION_DENIED (token refused), PORT_TAKEN, ABORTED.
 */
export async function startGateway(options: GatewayOptions, deps: GatewayDeps, signal: AbortSignal): Promise<RunningGateway> {
  await ensureOwnerOnlyDir(options.stateDir);
  return new Gateway(options, deps).start(signal);
}

/** Serves until `signal` aborts and the drain is over. Rejects as startGateway, and with MeshError FENCED. */
export async function runGateway(options: GatewayOptions, signal: AbortSignal, deps: GatewayDeps = {}): Promise<void> {
  const gateway = await startGateway(options, deps, signal);
  await gateway.ended;
}
