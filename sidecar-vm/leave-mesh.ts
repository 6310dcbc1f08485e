import { MeshError } from '../core/errors.ts';
import { childController } from '../core/lifecycle.ts';
import type { AgentDeps } from './contract.ts';
import { withDefaults } from './defaults.ts';
import { askToLeave, hasDeregistered, sayLeft } from './files.ts';
import { type MachineRegistration, openIdentities, withAllServices } from './identities/index.ts';
import type { AgentOptions } from './options.ts';
import { registerAll } from './parts/identities.ts';
import { openOwnAddress } from './parts/own-address.ts';
import { openIdentity } from './start-parts.ts';
import { holderOf, lockStateDir } from './state-lock.ts';

/** `expires`: no control plane could be asked in time, so the registration ends there by its age. */
export type LeaveResult = 'left' | 'expires';

const askMs = 5_000;
const pollMs = 50;

/**
 * Deregisters this machine, and lets no agent start here until it joins again. A running agent is told to end (SIGTERM, which only its
 * own user or root may send) and does it on its way out. MeshError DEADLINE_EXCEEDED when it does not end, ABORTED.
 */
export async function leaveMesh(options: AgentOptions, signal: AbortSignal, deps: AgentDeps = {}): Promise<LeaveResult> {
  const pid = await holderOf(options.stateDir);
  return pid === undefined ? leaveAlone(options, signal, deps) : leaveThrough(pid, options, signal, deps);
}

async function leaveThrough(pid: number, options: AgentOptions, signal: AbortSignal, deps: AgentDeps): Promise<LeaveResult> {
  const { clock } = withDefaults(options, deps);
  if (pid === process.pid) throw new MeshError('CONFLICT', 'the agent runs in this process: call its leave()');
  await askToLeave(options.stateDir);
  process.kill(pid, 'SIGTERM');
  const deadline = clock.monotonic() + options.drainMs + 2 * askMs;
  while ((await holderOf(options.stateDir)) === pid) {
    if (clock.monotonic() > deadline) {
      throw new MeshError('DEADLINE_EXCEEDED', `the agent with pid ${pid} does not end: look at its log, then end it and leave again`);
    }
    await clock.sleep(pollMs, signal);
  }
  return (await hasDeregistered(options.stateDir)) ? 'left' : 'expires';
}

async function leaveAlone(options: AgentOptions, signal: AbortSignal, deps: AgentDeps): Promise<LeaveResult> {
  const all = withDefaults(options, deps);
  const { controller, release } = childController(signal);
  const lock = await lockStateDir(options.stateDir);
  const patience = all.clock.sleep(askMs, controller.signal).then(
    () => controller.abort(),
    () => undefined,
  );
  try {
    const identity = await openIdentity(options, all, controller.signal);
    const report = { draining: true, services: [], sockets: [] };
    const others = await openIdentities(options, all, controller.signal);
    const whole = withAllServices(options);
    const { current: address } = await openOwnAddress(options, identity, all);
    const place = { address, inboundPort: options.inbound.port };
    const registration = await registerAll(whole, place, identity, others, report, all, controller.signal);
    const registered = await isRegistered(registration, controller.signal);
    if (registered) await registration.leave(askMs);
    await sayLeft(options.stateDir, registered);
    return registered ? 'left' : 'expires';
  } catch (error) {
    if (signal.aborted || !controller.signal.aborted) throw error;
    await sayLeft(options.stateDir, false);
    return 'expires';
  } finally {
    controller.abort();
    release();
    await patience;
    await lock.release();
  }
}

function isRegistered(registration: MachineRegistration, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const look = () => {
      if (registration.status().state === 'registered') resolve(true);
      else if (registration.status().state === 'refused') resolve(false);
    };
    registration.subscribe(look);
    look();
    signal.addEventListener('abort', () => resolve(false), { once: true });
    if (signal.aborted) resolve(false);
  });
}
