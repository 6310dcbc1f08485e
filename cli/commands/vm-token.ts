import { type Command, Option } from 'commander';
import type { JoinTokenRequest } from '../../core/admin/index.ts';
import { portFlag, serviceArgument } from '../arguments.ts';
import type { Io } from '../io.ts';
import { addTokenLimits, createToken, type TokenLimits } from '../join-token-flags.ts';
import { apiLeaf } from '../leaf.ts';

interface VmTokenFlags extends TokenLimits {
  readonly port: number;
  readonly protocol: NonNullable<JoinTokenRequest['protocol']>;
  readonly serviceAccount?: string;
  readonly group?: string;
}

export function addVmToken(vm: Command, io: Io): void {
  const examples = [
    'vm token default/orders --port 80',
    'vm token default/orders --port 80 --group default/orders-vms',
    'vm token default/orders --port 80 --ttl 24h --max-uses 50 --cidr 10.1.0.0/16   # for a fleet',
  ];
  addTokenLimits(apiLeaf(vm, 'token', 'make a token with which a VM joins the mesh as an instance of a service', examples))
    .argument('<service>', 'NAMESPACE/NAME', serviceArgument)
    .requiredOption('--port <port>', 'port of the service, as callers dial it', portFlag)
    .addOption(new Option('--protocol <protocol>', 'what is spoken on it').choices(['tcp', 'http', 'http2', 'grpc', 'tls']).default('http'))
    .option('--service-account <name>', "service account of its identity (default: the group's, then the service's name)")
    .option('--group <group>', 'NAMESPACE/NAME of a WorkloadGroup whose labels, locality and weight it takes', serviceArgument)
    .action(async (service: string, flags: VmTokenFlags) => {
      const { port, protocol, serviceAccount, group } = flags;
      const account = serviceAccount === undefined ? {} : { serviceAccount };
      const member = group === undefined ? {} : { group };
      await createToken(io, flags, { role: 'workload', service, port, protocol, ...account, ...member });
    });
}
