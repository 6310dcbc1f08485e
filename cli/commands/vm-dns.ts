import { type Command, Option } from 'commander';
import type { ResolverMode } from '../../sidecar-vm/main.ts';
import { collect } from '../arguments.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { savedOptions } from './agent.ts';
import { usualStateDir } from './vm-join-flags.ts';

interface Flags extends LeafOptions {
  readonly stateDir: string;
  readonly mode?: ResolverMode;
  readonly zone?: readonly string[];
  readonly dryRun?: boolean;
}

const usualZones = ['mesh.internal', 'svc.clusterset.local'];

export function addVmDns(vm: Command, io: Io): void {
  const dns = vm.command('dns').description("this machine's resolver, so that programs find services of the mesh by name");
  leaf(dns, 'install', 'ask the agent for names of the mesh, and nobody else than before for all others; run as root, once', [
    'vm dns install',
    'vm dns install --mode resolv-conf   # the agent listens on port 53: vm join --dns 127.0.0.1:53',
    'vm dns install --dry-run',
  ])
    .option('--state-dir <dir>', 'what isthmus vm join wrote: where the agent answers', usualStateDir)
    .addOption(
      new Option('--mode <mode>', 'whom to tell (default: systemd-resolved where /etc/resolv.conf is its)').choices([
        'resolved',
        'resolv-conf',
      ]),
    )
    .option('--zone <suffix>', `names of the mesh; may be repeated (default: ${usualZones.join(', ')})`, collect)
    .option('--dry-run', 'print the file, and change nothing')
    .action(async ({ stateDir, mode, zone, dryRun, output }: Flags) => {
      const { installResolver, planResolver } = await import('../../sidecar-vm/main.ts');
      const setup = { at: (await savedOptions(stateDir)).dns, zones: zone ?? usualZones, mode };
      const plan = await planResolver(setup);
      if (dryRun === true) return emit(io, output, plan, plan.text);
      const state = await installResolver(setup);
      emit(io, output, state, `${state.file} asks ${setup.at.address}:${setup.at.port}. isthmus vm dns remove takes it back.`);
    });
  leaf(dns, 'remove', 'bring back what was there before; run as root', ['vm dns remove']).action(async ({ output }: LeafOptions) => {
    const { removeResolver, showResolver } = await import('../../sidecar-vm/main.ts');
    await removeResolver();
    emit(io, output, await showResolver(), 'Nothing of ours is left.');
  });
  leaf(dns, 'show', 'whether this machine asks the agent, and where that is said', ['vm dns show']).action(
    async ({ output }: LeafOptions) => {
      const { showResolver } = await import('../../sidecar-vm/main.ts');
      const state = await showResolver();
      emit(
        io,
        output,
        state,
        state.installed ? `${state.file} asks the agent.` : `Nobody asks the agent; ${state.file} is where it would be said.`,
      );
    },
  );
}
