import type { Command } from 'commander';
import { MeshError } from '../../core/errors.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { savedOptions } from './agent.ts';
import { usualStateDir } from './vm-join-flags.ts';

export function addVmLeave(vm: Command, io: Io): void {
  leaf(vm, 'leave', 'take this machine out of the mesh: its agent drains and ends, its registration goes', [
    'vm leave',
    'vm leave --state-dir /var/lib/isthmus-agent',
  ])
    .option('--state-dir <dir>', 'what isthmus vm join wrote', usualStateDir)
    .action(async ({ stateDir, output }: LeafOptions & { readonly stateDir: string }) => {
      const options = await savedOptions(stateDir);
      const { leaveMesh } = await import('../../sidecar-vm/main.ts');
      const result = await leaveMesh(options, io.signal);
      const capture = options.capture === undefined ? undefined : await removeRules();
      const dns = await removeNames();
      const text =
        result === 'left'
          ? `${options.instance} has left the mesh.`
          : `${options.instance} serves no more; no control plane answered, so its registration goes when its time is over.`;
      const lines = [text, ...(capture === undefined ? [] : [rulesText[capture]]), ...(dns === undefined ? [] : [dnsText[dns]])];
      const removed = { ...(capture === undefined ? {} : { capture }), ...(dns === undefined ? {} : { dns }) };
      emit(io, output, { instance: options.instance, result, ...removed }, lines.join('\n'));
    });
}

const rulesText = {
  removed: 'Its packet filter rules are removed.',
  left: 'Its packet filter rules are still there: sudo isthmus vm capture remove',
} as const;

/** Only root can; whoever else leaves is told. */
async function removeRules(): Promise<'removed' | 'left'> {
  const { removeCapture } = await import('../../sidecar-vm/main.ts');
  try {
    await removeCapture();
    return 'removed';
  } catch (error) {
    // Where there is no nft there are no rules.
    return error instanceof MeshError && error.code === 'CONFIG_INVALID' ? 'removed' : 'left';
  }
}

const dnsText = {
  removed: 'This machine asks its own resolvers again.',
  left: 'This machine still asks the agent for names: sudo isthmus vm dns remove',
} as const;

async function removeNames(): Promise<'removed' | 'left' | undefined> {
  const { removeResolver, showResolver } = await import('../../sidecar-vm/main.ts');
  if (!(await showResolver()).installed) return undefined;
  try {
    await removeResolver();
    return 'removed';
  } catch {
    return 'left';
  }
}
