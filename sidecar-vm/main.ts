import { rm } from 'node:fs/promises';
import { ensureOwnerOnlyDir } from '../core/identity/index.ts';
import { Agent } from './agent.ts';
import type { AgentDeps, RunningAgent } from './contract.ts';
import { agentFiles, hasDeregistered, saveAgentOptions } from './files.ts';
import { bindToMachine, forgetIdentity, giveUpSvids, machineName } from './machine-binding.ts';
import type { AgentOptions } from './options.ts';
import { lockStateDir } from './state-lock.ts';

export type { CapturePlan, CaptureState } from './capture/index.ts';
export { captureRules, installCapture, parseCapturePlan, removeCapture, showCapture } from './capture/index.ts';
export type { GrpcNode } from './certificates/index.ts';
export { keepAnchors, loadGrpcNode } from './certificates/index.ts';
export type { AgentDeps, AgentStatus, ListenAddress, RunningAgent, StageVerdict } from './contract.ts';
export { loadAgentOptions } from './files.ts';
export type { ChangedIdentities } from './identities/index.ts';
export { addIdentity, removeIdentity } from './identities/index.ts';
export type { LeaveResult } from './leave-mesh.ts';
export { leaveMesh } from './leave-mesh.ts';
export type { AgentOptions, AgentOptionsInput } from './options.ts';
export { parseAgentOptions } from './options.ts';
export { addressTowards } from './own-address/index.ts';
export type { ResolverMode } from './resolver/index.ts';
export { installResolver, planResolver, removeResolver, showResolver } from './resolver/index.ts';
export type { EditedOptions } from './saved/index.ts';
export { addServices, removeServices } from './saved/index.ts';
export type { Supervised } from './supervisor/index.ts';
export { reloadAgent, supervised } from './supervisor/index.ts';

/**
 * Resolves when the agent serves: identity at hand (from disk, or as soon as a control plane answers), every listener open. Aborting
 * `signal` drains it, or gives up while it still starts. Rejects, with everything closed, with MeshError CONFIG_INVALID (token unreadable,
 * or this machine has left), IDENTITY_INVALID and PERMISSION_DENIED (token refused), PORT_TAKEN (inbound, DNS or admin), CONFLICT (another
 * agent runs on the state directory, or it is of another machine), ABORTED.
 */
export async function startAgent(options: AgentOptions, deps: AgentDeps, signal: AbortSignal): Promise<RunningAgent> {
  await ensureOwnerOnlyDir(options.stateDir);
  const lock = await lockStateDir(options.stateDir);
  try {
    await bindToMachine(options.stateDir, await machineName());
  } catch (error) {
    await lock.release();
    throw error;
  }
  return new Agent(options, deps, lock).start(signal);
}

/** Serves until `signal` aborts and the drain is over. Rejects as startAgent, and with MeshError FENCED when a newer start has taken over. */
export async function runAgent(options: AgentOptions, signal: AbortSignal, deps: AgentDeps = {}): Promise<void> {
  const agent = await startAgent(options, deps, signal);
  await agent.ended;
}

/**
 * Keeps what `vm join` was told for `isthmus agent`, and takes back an earlier leave: then it attests anew. `resetIdentity`: as somebody new. MeshError CONFLICT
 * while an agent runs there, or when the state directory is of another machine.
 */
export async function prepareJoin(options: AgentOptions, { resetIdentity = false } = {}): Promise<void> {
  await ensureOwnerOnlyDir(options.stateDir);
  const lock = await lockStateDir(options.stateDir);
  try {
    if (resetIdentity) await forgetIdentity(options.stateDir);
    else if (await hasDeregistered(options.stateDir)) await giveUpSvids(options.stateDir);
    await bindToMachine(options.stateDir, await machineName());
    await saveAgentOptions(options);
    await rm(agentFiles(options.stateDir).left, { force: true });
  } finally {
    await lock.release();
  }
}
