import { type Command, Option } from 'commander';
import type { CreatedJoinToken, JoinTokenRequest } from '../../core/admin/index.ts';
import { collect, countFlag, durationFlag, portFlag, serviceArgument } from '../arguments.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';

interface TokenOptions extends LeafOptions, TargetOptions {
  readonly ttl: number;
  readonly maxUses: number;
  readonly cidr: string[];
  readonly network?: string;
}

interface VmTokenOptions extends TokenOptions {
  readonly port: number;
  readonly protocol: NonNullable<JoinTokenRequest['protocol']>;
  readonly serviceAccount?: string;
}

export function addVmToken(vm: Command, io: Io): void {
  limits(
    apiLeaf(vm, 'token', 'make a token with which a VM joins the mesh as an instance of a service', [
      'vm token default/orders --port 80',
      'vm token default/orders --port 80 --ttl 24h --max-uses 50 --cidr 10.1.0.0/16   # for a fleet',
    ]),
  )
    .argument('<service>', 'NAMESPACE/NAME', serviceArgument)
    .requiredOption('--port <port>', 'port of the service, as callers dial it', portFlag)
    .addOption(new Option('--protocol <protocol>', 'what is spoken on it').choices(['tcp', 'http', 'http2', 'grpc', 'tls']).default('http'))
    .option('--service-account <name>', "service account of its identity (default: the service's name)")
    .action(async (service: string, options: VmTokenOptions) => {
      const { port, protocol, serviceAccount } = options;
      const account = serviceAccount === undefined ? {} : { serviceAccount };
      await create(io, options, { role: 'workload', service, port, protocol, ...account });
    });
}

export function addGatewayToken(gateway: Command, io: Io): void {
  limits(
    apiLeaf(gateway, 'token', 'make a token with which an east-west gateway joins', [
      'gateway token',
      'gateway token --network pods --max-uses 3',
    ]),
  ).action((options: TokenOptions) => create(io, options, { role: 'gateway' }));
}

function limits(command: Command): Command {
  return command
    .option('--ttl <duration>', 'how long it may be redeemed', durationFlag, 3_600_000)
    .option('--max-uses <count>', 'how many instances it lets in', countFlag, 1)
    .option('--cidr <range>', 'source range that may redeem it; may be repeated (default: any)', collect, [])
    .option('--network <name>', "network of the instance (default: the control plane's)");
}

async function create(
  io: Io,
  options: TokenOptions,
  what: Pick<JoinTokenRequest, 'role' | 'service' | 'port' | 'protocol' | 'serviceAccount'>,
): Promise<void> {
  const { ttl: ttlMs, maxUses, cidr: cidrs, network } = options;
  const body: JoinTokenRequest = { ...what, ttlMs, maxUses, cidrs, ...(network === undefined ? {} : { network }) };
  await callAndEmit(
    io,
    options,
    (client) => client.post<CreatedJoinToken>('/v1/tokens', body),
    (made) => {
      // The token alone on standard output, so that it can be piped.
      io.err(
        `Token ${made.id} for ${made.spiffeId}, ${made.maxUses === 1 ? 'one use' : `${made.maxUses} uses`}, until ${made.expiresAt}. It is a secret.\n`,
      );
      return made.token;
    },
  );
}
