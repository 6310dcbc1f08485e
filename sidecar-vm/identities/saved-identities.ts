import { rm } from 'node:fs/promises';
import { MeshError } from '../../core/errors.ts';
import { accept, type Checked } from '../../core/validate.ts';
import { loadAgentOptions } from '../files.ts';
import type { AgentOptions, AgentOptionsInput } from '../options.ts';
import { editOptions } from '../saved/index.ts';
import { identityDir } from './open-identities.ts';

export interface ChangedIdentities {
  readonly identities: AgentOptions['identities'];
  /** An agent runs on the old ones until it is started again. */
  readonly running: boolean;
}

type IdentityInput = NonNullable<AgentOptionsInput['identities']>[number];

/** Adds an identity to what `vm join` saved, or replaces the one of that name. Everything that is wrong at once; nothing is written then. */
export async function addIdentity(stateDir: string, identity: IdentityInput): Promise<Checked<ChangedIdentities>> {
  return change(stateDir, (all) => [...all.filter(({ name }) => name !== identity.name), identity]);
}

/** Takes it out, and its keys with it. MeshError NOT_FOUND, CONFLICT while an agent holds them. */
export async function removeIdentity(stateDir: string, name: string): Promise<Checked<ChangedIdentities>> {
  const options = await loadAgentOptions(stateDir);
  if (!options.ok) return options;
  if (!options.value.identities.some((each) => each.name === name))
    throw new MeshError('NOT_FOUND', `there is no identity ${name} in ${stateDir}`);
  const changed = await change(stateDir, (all) => all.filter((each) => each.name !== name));
  if (changed.ok && !changed.value.running) await rm(identityDir(stateDir, name), { recursive: true, force: true });
  return changed;
}

async function change(
  stateDir: string,
  edit: (all: readonly IdentityInput[]) => readonly IdentityInput[],
): Promise<Checked<ChangedIdentities>> {
  const edited = await editOptions(stateDir, ({ identities = [] }) => ({ identities: [...edit(identities)] }));
  return edited.ok ? accept({ identities: edited.value.options.identities, running: edited.value.running }) : edited;
}
