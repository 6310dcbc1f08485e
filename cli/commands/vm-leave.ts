import type { Command } from 'commander';
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
      const text =
        result === 'left'
          ? `${options.instance} has left the mesh.`
          : `${options.instance} serves no more; no control plane answered, so its registration goes when its time is over.`;
      emit(io, output, { instance: options.instance, result }, text);
    });
}
