import { readIfThere } from '../../core/identity/index.ts';
import { accept, type Checked } from '../../core/validate.ts';
import { agentFiles, loadAgentOptions, saveAgentOptions } from '../files.ts';
import { type AgentOptions, type AgentOptionsInput, parseAgentOptions } from '../options.ts';
import { holderOf } from '../state-lock.ts';

export interface EditedOptions {
  readonly options: AgentOptions;
  /** An agent runs, on the old ones until it is told. */
  readonly running: boolean;
  /** Puts back what stood there. */
  readonly undo: () => Promise<void>;
}

/** Changes what `vm join` saved. Everything that is wrong with what would come of it, at once; nothing is written then. */
export async function editOptions(
  stateDir: string,
  edit: (saved: AgentOptionsInput) => Partial<AgentOptionsInput>,
): Promise<Checked<EditedOptions>> {
  const current = await loadAgentOptions(stateDir);
  if (!current.ok) return current;
  // What was written, not what was made of it: defaults of later versions are to hold.
  const saved = JSON.parse((await readIfThere(agentFiles(stateDir).options)) ?? '{}') as AgentOptionsInput;
  const next = { ...saved, ...edit(saved), stateDir };
  const parsed = parseAgentOptions(next);
  if (!parsed.ok) return parsed;
  await saveAgentOptions(next);
  const undo = () => saveAgentOptions({ ...saved, stateDir });
  return accept({ options: parsed.value, running: (await holderOf(stateDir)) !== undefined, undo });
}
