import type { Command } from 'commander';
import type { CapturePlan } from '../../sidecar-vm/main.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { type CaptureFlags, captureFlags, capturePlanOf } from './vm-capture-flags.ts';

export function addVmCapture(vm: Command, io: Io): void {
  const capture = vm.command('capture').description('packet filter rules that lead connections of this machine to its agent; nftables');
  addInstall(capture, io);
  captureFlags(
    leaf(capture, 'print', 'print the rules that install would make; changes nothing', ['vm capture print --cidr 10.96.0.0/12']),
  ).action(async (flags: CaptureFlags & LeafOptions) => {
    const { captureRules } = await import('../../sidecar-vm/main.ts');
    const plan = await capturePlanOf(flags);
    emit(io, flags.output, { plan, rules: captureRules(plan) }, captureRules(plan));
  });
  addRemove(capture, io);
  addShow(capture, io);
}

function addInstall(capture: Command, io: Io): void {
  const command = leaf(capture, 'install', 'put the rules in place, now and at each boot; run as root, once. Replaces those of before', [
    'vm capture install   # 127.64.0.0/10, so that no port is bound for a service',
    'vm capture install --cidr 10.96.0.0/12 --exclude-user backup --exclude-cidr 10.96.0.10/32',
    'vm capture install --inbound 8080=15106   # callers without mTLS reach what the agent exposes',
    'vm capture install --dry-run',
  ]);
  rulesFileOption(captureFlags(command))
    .option('--dry-run', 'print the rules, and change nothing')
    .action(async ({ dryRun, rulesFile, ...flags }: CaptureFlags & RulesFile & { readonly dryRun?: boolean }) => {
      const { captureRules, installCapture } = await import('../../sidecar-vm/main.ts');
      const plan = await capturePlanOf(flags);
      const rules = captureRules(plan);
      if (dryRun === true) return emit(io, flags.output, { plan, rules, installed: false }, rules);
      await installCapture(plan, rulesFile);
      emit(io, flags.output, { plan, rules, installed: true, file: rulesFile }, installedText(plan, rulesFile));
    });
}

function addRemove(capture: Command, io: Io): void {
  const command = leaf(capture, 'remove', 'take all of the rules away, now and for each boot; run as root', ['vm capture remove']);
  rulesFileOption(command).action(async ({ output, rulesFile }: RulesFile) => {
    const { removeCapture } = await import('../../sidecar-vm/main.ts');
    await removeCapture(rulesFile);
    emit(io, output, { installed: false }, 'No rules of ours are left.');
  });
}

function addShow(capture: Command, io: Io): void {
  const command = leaf(capture, 'show', 'the rules that are in place; run as root', ['vm capture show']);
  rulesFileOption(command).action(async ({ output, rulesFile }: RulesFile) => {
    const { showCapture } = await import('../../sidecar-vm/main.ts');
    const state = await showCapture(rulesFile);
    const boot = state.atBoot ? 'They come back at each boot (isthmus-capture.service).' : 'They do not come back at the next boot.';
    emit(io, output, state, state.installed ? `${state.rules}${boot}` : 'No rules of ours are in place.');
  });
}

interface RulesFile extends LeafOptions {
  readonly rulesFile: string;
}

function rulesFileOption(command: Command): Command {
  return command.option('--rules-file <file>', 'where the rules are kept for the next boot', '/etc/isthmus/capture.nft');
}

function installedText({ port, agentUid, cidrs, inbound }: CapturePlan, file: string): string {
  return [
    `127.64.0.0/10 is led to 127.0.0.1:${port}, for everybody but user ${agentUid}.`,
    ...(agentUid === 0 ? ['The agent runs as root, so connections of other programs of root are not captured either.'] : []),
    ...(cidrs.length === 0 ? [] : [`${cidrs.join(', ')} too, while the agent lives.`]),
    ...inbound.map((each) => `Port ${each.port} is led to port ${each.to} for callers from elsewhere.`),
    `Kept in ${file}; at boot isthmus-capture.service loads it: systemctl enable isthmus-capture`,
  ].join('\n');
}
