import { type Command, Option } from 'commander';
import { formatViolation, type Violation } from '../../core/validate.ts';
import type { ChangedIdentities } from '../../sidecar-vm/main.ts';
import { collect } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { table } from '../text/table.ts';
import { savedOptions } from './agent.ts';
import { type IdentityInput, idsFlag, ownedServiceFlag, type SelectorFlags, selectorsOf } from './vm-identity-flags.ts';
import { usualStateDir } from './vm-join-flags.ts';

type Where = LeafOptions & { readonly stateDir: string };
type AddFlags = Where & SelectorFlags & { readonly hint?: string; readonly service: NonNullable<IdentityInput['services']> };

/** Which programs of this machine are which identity. */
export function addVmIdentity(vm: Command, io: Io): void {
  const identity = vm.command('identity').description('which programs of this machine have which identity');
  add(identity, io);
  leaf(identity, 'list', 'the identities that isthmus agent starts with, and whose each is', [
    'vm identity list',
    'vm identity list -o json',
  ])
    .option('--state-dir <dir>', 'what isthmus vm join wrote', usualStateDir)
    .action(async ({ stateDir, output }: Where) => {
      const { identities } = await savedOptions(stateDir);
      emit(io, output, { identities: identities.map(shown) }, listText(identities));
    });
  leaf(identity, 'remove <name>', 'take an identity, and its keys, from this machine', ['vm identity remove billing'])
    .option('--state-dir <dir>', 'what isthmus vm join wrote', usualStateDir)
    .action(async (name: string, { stateDir, output }: Where) => {
      const { removeIdentity } = await import('../../sidecar-vm/main.ts');
      const changed = await removeIdentity(stateDir, name);
      if (!changed.ok) throw invalid(changed.violations);
      emit(io, output, { removed: name, running: changed.value.running }, `Removed ${name}.${next(changed.value)}`);
    });
}

function add(identity: Command, io: Io): void {
  leaf(identity, 'add <name> [token]', 'give programs of this machine an identity of their own, or replace the one of that name', [
    'vm identity add billing - --uid 1001 --service shop/billing:8080 < token',
    'vm identity add batch TOKEN --uid 1001 --path /usr/bin/batch',
    "vm identity add default --uid 1000   # whose the machine's own identity is",
  ])
    .addOption(new Option('--uid <ids>', 'user ids; may be repeated').argParser(idsFlag).default([], 'any'))
    .addOption(new Option('--gid <ids>', 'group ids, supplementary ones included').argParser(idsFlag).default([], 'any'))
    .addOption(new Option('--path <file>', 'of the program, with --uid or --gid').argParser(collect).default([], 'any'))
    .addOption(new Option('--sha256 <hex>', 'of that file').argParser(collect).default([], 'any'))
    .addOption(
      new Option('--service <ns/name:port>', 'served as this identity; may be repeated').argParser(ownedServiceFlag).default([], 'none'),
    )
    .option('--hint <text>', 'told to programs that get this SVID (default: the name)')
    .option('--state-dir <dir>', 'what isthmus vm join wrote', usualStateDir)
    .action(async (name: string, token: string | undefined, flags: AddFlags) => {
      const { addIdentity } = await import('../../sidecar-vm/main.ts');
      const text = token === '-' ? (await io.input()).trim() : token;
      const { stateDir, hint, service, output } = flags;
      const entry: IdentityInput = {
        name,
        ...(text === undefined ? {} : { token: text }),
        ...(hint === undefined ? {} : { hint }),
        selectors: selectorsOf(flags),
        services: service,
      };
      const changed = await addIdentity(stateDir, entry);
      if (!changed.ok) throw invalid(changed.violations);
      emit(io, output, { added: name, running: changed.value.running }, `Saved ${name}.${next(changed.value)}`);
    });
}

function next({ running }: ChangedIdentities): string {
  return running ? ' Next: start the agent again (systemctl restart isthmus-agent), it runs on what was before.' : ' Next: isthmus agent';
}

/** The token is not shown. */
function shown({ name, selectors, services }: ChangedIdentities['identities'][number]) {
  return { name, selectors, services: services.map((service) => `${service.namespace}/${service.name}:${service.port}`) };
}

function listText(identities: ChangedIdentities['identities']): string {
  if (identities.length === 0) return 'This machine has one identity, which every program calls as.';
  const values = (all: readonly (string | number)[]) => all.join(',') || 'any';
  return table(
    ['NAME', 'UID', 'GID', 'PATH', 'SERVICES'],
    identities.map((each) => {
      const { name, selectors, services } = shown(each);
      return [name, values(selectors.uid), values(selectors.gid), values(selectors.path), services.join(', ')];
    }),
  );
}

function invalid(violations: readonly Violation[]): CliError {
  const all = violations.map((v) => `  ${formatViolation(v)}`).join('\n');
  return new CliError(exitCode.invalid, 'CONFIG_INVALID', `this is not valid:\n${all}`, 'correct it all, and run it again');
}
