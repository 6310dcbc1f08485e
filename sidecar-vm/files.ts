import { join } from 'node:path';
import { readIfThere, writeOwnerOnly } from '../core/identity/index.ts';
import { accept, type Checked, reject } from '../core/validate.ts';
import { type AgentOptions, type AgentOptionsInput, parseAgentOptions } from './options.ts';

/** What the agent keeps in its state directory (0700). */
export function agentFiles(stateDir: string) {
  return {
    /** Options, the token among them. */
    options: join(stateDir, 'agent.json'),
    /** Keys, SVID and generation. */
    identity: join(stateDir, 'identity'),
    /** The same of its other identities, each in a folder by its name. */
    identities: join(stateDir, 'identities'),
    /** Last good xDS resources. */
    state: join(stateDir, 'xds-state'),
    addresses: join(stateDir, 'addresses.json'),
    /** Services that this machine calls. */
    interest: join(stateDir, 'interest.json'),
    /** Says that this machine has left, or is to. */
    left: join(stateDir, 'left'),
  };
}

/** What `vm join` was told, for the next start. Durable when it resolves. */
export async function saveAgentOptions(options: AgentOptionsInput & { readonly stateDir: string }): Promise<void> {
  await writeForAgent(agentFiles(options.stateDir).options, `${JSON.stringify(options, null, 2)}\n`);
}

/** What `vm join` saved there; everything that is wrong with it at once. */
export async function loadAgentOptions(stateDir: string): Promise<Checked<AgentOptions>> {
  const path = agentFiles(stateDir).options;
  const text = await readIfThere(path);
  if (text === undefined) return reject([{ path, message: 'is not there: run isthmus vm join TOKEN first' }]);
  let saved: unknown;
  try {
    saved = JSON.parse(text);
  } catch {
    return reject([{ path, message: 'is no JSON: run isthmus vm join TOKEN again' }]);
  }
  if (typeof saved !== 'object' || saved === null) return reject([{ path, message: 'is no object: run isthmus vm join TOKEN again' }]);
  const options = parseAgentOptions({ ...saved, stateDir });
  return options.ok ? accept(options.value) : reject(options.violations.map((v) => ({ ...v, path: `${path}: ${v.path}` })));
}

/** Tells the agent of this state directory that its next end is a goodbye. */
export async function askToLeave(stateDir: string): Promise<void> {
  await writeForAgent(agentFiles(stateDir).left, '{"deregistered":false}\n');
}

export async function isToLeave(stateDir: string): Promise<boolean> {
  return (await readIfThere(agentFiles(stateDir).left)) !== undefined;
}

export async function sayLeft(stateDir: string, deregistered: boolean): Promise<void> {
  await writeForAgent(agentFiles(stateDir).left, `${JSON.stringify({ deregistered })}\n`);
}

export async function hasDeregistered(stateDir: string): Promise<boolean> {
  return (await readIfThere(agentFiles(stateDir).left))?.includes('"deregistered":true') ?? false;
}

/** Commands that root runs write for an agent that systemd runs as a user of its own. */
function writeForAgent(path: string, content: string): Promise<void> {
  return writeOwnerOnly(path, content, { owner: 'folder' });
}
