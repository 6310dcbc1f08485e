import type { Command } from 'commander';
import { formatViolation } from '../../core/validate.ts';
import type { AgentOptions, EditedOptions } from '../../sidecar-vm/main.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { table } from '../text/table.ts';
import { savedOptions } from './agent.ts';
import { type Listen, listenFlag, usualStateDir } from './vm-join-flags.ts';
import { type ServiceFlag, type ServiceFlags, serviceDetails, serviceFlag, servicesOf } from './vm-join-services.ts';
import { applyServices } from './vm-service-apply.ts';

type Where = LeafOptions & { readonly stateDir: string; readonly admin?: Listen };

/** What a machine that has joined serves. */
export function addVmService(vm: Command, io: Io): void {
  const service = vm.command('service').description('the services that run on this machine, changed without joining again');
  const add = leaf(service, 'add', 'serve more, or something else on the same port; connections that are open go on', [
    'vm service add shop/ledger:9000 --health http:/healthz',
    'vm service add shop/ledger:9000:19000:grpc --health grpc',
  ]);
  add.argument('<services...>', 'NAMESPACE/NAME:PORT[:APP_PORT][:PROTOCOL]', serviceFlag);
  place(serviceDetails(add)).action((services: readonly ServiceFlag[], flags: Where & Omit<ServiceFlags, 'service'>) =>
    addAll(io, services, flags),
  );
  const remove = leaf(service, 'remove', 'serve less; connections that are open go on', [
    'vm service remove shop/ledger',
    'vm service remove shop/ledger:9000',
  ]);
  remove.argument('<services...>', 'NAMESPACE/NAME, or NAMESPACE/NAME:PORT for one port of it', serviceFlag);
  place(remove).action((services: readonly ServiceFlag[], flags: Where) => removeAll(io, services, flags));
  leaf(service, 'list', 'the services that isthmus agent starts with', ['vm service list', 'vm service list -o json'])
    .option('--state-dir <dir>', 'what isthmus vm join wrote', usualStateDir)
    .action(async ({ stateDir, output }: Where) => {
      const { services } = await savedOptions(stateDir);
      emit(io, output, { services }, listText(services));
    });
}

function place(command: Command): Command {
  return command
    .option('--state-dir <dir>', 'what isthmus vm join wrote', usualStateDir)
    .option('--admin <address:port>', "the agent's --admin (default: as isthmus vm join was told)", listenFlag);
}

async function addAll(io: Io, service: readonly ServiceFlag[], flags: Where & Omit<ServiceFlags, 'service'>): Promise<void> {
  const { addServices } = await import('../../sidecar-vm/main.ts');
  const { address } = await savedOptions(flags.stateDir);
  const services = servicesOf({ ...flags, service }, address);
  const edited = valid(await addServices(flags.stateDir, services));
  const applied = await applyServices(edited, adminOf(edited, flags), false, io);
  const names = services.map((each) => `${each.namespace}/${each.name}:${each.port}`);
  const text = applied.result === 'serves' ? `Serves ${names.join(', ')}.` : `Saved ${names.join(', ')}. Next: ${applied.next}`;
  emit(io, flags.output, { added: names, ...applied }, text);
}

async function removeAll(io: Io, services: readonly ServiceFlag[], flags: Where): Promise<void> {
  const { removeServices } = await import('../../sidecar-vm/main.ts');
  const which = services.map(({ service, port }) => {
    const [namespace = '', name = ''] = service.split('/');
    return { namespace, name, ...(port === undefined ? {} : { port }) };
  });
  const edited = valid(await removeServices(flags.stateDir, which));
  const applied = await applyServices(edited, adminOf(edited, flags), true, io);
  const names = services.map(({ service, port }) => (port === undefined ? service : `${service}:${port}`));
  const text = `${applied.result === 'serves' ? 'Serves no more' : 'Saved without'} ${names.join(', ')}.`;
  emit(io, flags.output, { removed: names, ...applied }, applied.next === '' ? text : `${text} Next: ${applied.next}`);
}

function adminOf({ options }: EditedOptions, { admin }: Where): Listen {
  return admin ?? options.admin;
}

function valid(edited: Awaited<ReturnType<typeof import('../../sidecar-vm/main.ts').addServices>>): EditedOptions {
  if (edited.ok) return edited.value;
  const all = edited.violations.map((v) => `  ${formatViolation(v)}`).join('\n');
  throw new CliError(exitCode.invalid, 'CONFIG_INVALID', `this is not valid:\n${all}`, 'correct it all, and run it again');
}

function listText(services: AgentOptions['services']): string {
  if (services.length === 0) return 'This machine serves nothing: it only calls. Next: isthmus vm service add NAMESPACE/NAME:PORT';
  const rows = services.map((each) => [
    `${each.namespace}/${each.name}`,
    String(each.port),
    each.protocol,
    `${each.appAddress.includes(':') ? `[${each.appAddress}]` : each.appAddress}:${each.appPort}`,
    probeText(each.health.probe),
  ]);
  return table(['SERVICE', 'PORT', 'PROTOCOL', 'APP', 'HEALTH'], rows);
}

function probeText(probe: AgentOptions['services'][number]['health']['probe']): string {
  if (probe.kind === 'http') return `http:${probe.path}`;
  return probe.kind === 'exec' ? `exec:${probe.command.join(' ')}` : probe.kind;
}
