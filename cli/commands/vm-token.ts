import { type Command, InvalidArgumentError, Option } from 'commander';
import type { JoinTokenRequest } from '../../core/admin/index.ts';
import { portFlag, serviceArgument } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { addTokenLimits, attestorToken, createToken, type TokenLimits } from '../join-token-flags.ts';
import { apiLeaf } from '../leaf.ts';

interface Claimed {
  readonly service: string;
  readonly port?: number;
}

interface VmTokenFlags extends TokenLimits {
  readonly service: readonly Claimed[];
  readonly port?: number;
  readonly protocol: NonNullable<JoinTokenRequest['protocol']>;
  readonly serviceAccount?: string;
  readonly group?: string;
  readonly also?: NonNullable<JoinTokenRequest['also']>;
}

export function addVmToken(vm: Command, io: Io): void {
  const examples = [
    'vm token default/orders --port 80',
    'vm token --service default/orders:80 --service default/ledger:9000   # one machine, several services',
    'vm token default/orders --port 80 --group default/orders-vms',
    'vm token default/orders --port 80 --ttl 24h --max-uses 50 --cidr 10.1.0.0/16 --address 10.1.0.0/16   # for a fleet',
    'vm token --attestor default/nomad   # no secret: the AttestationPolicy says who may come, and as what',
  ];
  addTokenLimits(apiLeaf(vm, 'token', 'make a token with which a VM joins the mesh as an instance of a service', examples))
    .argument('[service]', 'NAMESPACE/NAME', serviceArgument)
    .addOption(
      new Option('--service <service>', 'NAMESPACE/NAME[:PORT], the same and others; may be repeated')
        .argParser(claimedFlag)
        .default([], 'none'),
    )
    .option('--port <port>', 'port of the service, as callers dial it, where --service does not say', portFlag)
    .addOption(new Option('--protocol <protocol>', 'what is spoken on it').choices(['tcp', 'http', 'http2', 'grpc', 'tls']).default('http'))
    .option('--service-account <name>', "service account of its identity (default: the group's, then the service's name)")
    .option('--group <group>', 'NAMESPACE/NAME of a WorkloadGroup whose labels, locality and weight it takes', serviceArgument)
    .action(async (argument: string | undefined, flags: VmTokenFlags) => {
      const { protocol, serviceAccount, group, attestor } = flags;
      if (attestor !== undefined) return byPolicy(io, argument, { ...flags, attestor });
      const [first, ...also] = claimedBy(argument, flags);
      const account = serviceAccount === undefined ? {} : { serviceAccount };
      const member = group === undefined ? {} : { group };
      const others = also.length === 0 ? {} : { also };
      await createToken(io, flags, { role: 'workload', ...first, protocol, ...others, ...account, ...member });
    });
}

function byPolicy(io: Io, argument: string | undefined, flags: VmTokenFlags & { readonly attestor: string }): Promise<void> {
  const { service, port, serviceAccount, group, address } = flags;
  if (service.length > 0 || [argument, port, serviceAccount, group, address].some((each) => each !== undefined))
    throw usage("with --attestor the AttestationPolicy's rules say what a machine may be, and no flag does", 'leave the others out');
  return attestorToken(io, flags);
}

/** Each with its port: a token for every port would be one for more than was meant. */
function claimedBy(argument: string | undefined, { service, port }: VmTokenFlags): [NamedPort, ...NamedPort[]] {
  const all = [...(argument === undefined ? [] : [{ service: argument }]), ...service].map((each: Claimed): NamedPort => {
    const at = each.port ?? port;
    if (at === undefined) throw usage(`which port has ${each.service}?`, `say --service ${each.service}:PORT, or --port`);
    return { service: each.service, port: at };
  });
  const [first, ...others] = all;
  if (first === undefined)
    throw usage('for which service is the token?', 'say NAMESPACE/NAME --port PORT, or --service NAMESPACE/NAME:PORT');
  return [first, ...others];
}

interface NamedPort {
  readonly service: string;
  readonly port: number;
}

function claimedFlag(text: string, before: readonly Claimed[]): readonly Claimed[] {
  const [service = '', port, ...more] = text.split(':');
  if (more.length > 0) throw new InvalidArgumentError('It must be NAMESPACE/NAME or NAMESPACE/NAME:PORT.');
  return [...before, { service: serviceArgument(service), ...(port === undefined ? {} : { port: portFlag(port) }) }];
}

function usage(message: string, next: string): CliError {
  return new CliError(exitCode.invalid, 'USAGE', message, next);
}
