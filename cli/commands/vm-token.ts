import { type Command, Option } from 'commander';
import type { CreatedJoinToken, JoinTokenRequest } from '../../core/admin/index.ts';
import { collect, countFlag, durationFlag, portFlag, serviceArgument } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';

interface TokenOptions extends LeafOptions, TargetOptions {
  readonly gateway?: boolean;
  readonly port?: number;
  readonly protocol: NonNullable<JoinTokenRequest['protocol']>;
  readonly serviceAccount?: string;
  readonly ttl: number;
  readonly maxUses: number;
  readonly cidr: string[];
  readonly network?: string;
}

export function addVmToken(vm: Command, io: Io): void {
  apiLeaf(vm, 'token', 'make a token with which a VM joins as an instance of a service, or a gateway joins', [
    'vm token default/orders --port 80',
    'vm token default/orders --port 80 --ttl 24h --max-uses 50 --cidr 10.1.0.0/16   # for a fleet',
    'vm token --gateway --network pods',
  ])
    .argument('[service]', 'NAMESPACE/NAME', serviceArgument)
    .option('--port <port>', 'port of the service, as callers dial it', portFlag)
    .addOption(new Option('--protocol <protocol>', 'what is spoken on it').choices(['tcp', 'http', 'http2', 'grpc', 'tls']).default('http'))
    .option('--service-account <name>', "service account of its identity (default: the service's name)")
    .option('--gateway', 'for an east-west gateway instead of a service')
    .option('--ttl <duration>', 'how long it may be redeemed', durationFlag, 3_600_000)
    .option('--max-uses <count>', 'how many instances it lets in', countFlag, 1)
    .option('--cidr <range>', 'source range that may redeem it; may be repeated (default: any)', collect, [])
    .option('--network <name>', "network of the instance (default: the control plane's)")
    .action(async (service: string | undefined, options: TokenOptions) => {
      await callAndEmit(
        io,
        options,
        (client) => client.post<CreatedJoinToken>('/v1/tokens', requestOf(service, options)),
        (made) => {
          // The token alone on standard output, so that it can be piped.
          const uses = made.maxUses === 1 ? 'one use' : `${made.maxUses} uses`;
          io.err(`Token ${made.id} for ${made.spiffeId}, ${uses}, until ${made.expiresAt}. It is a secret.\n`);
          return made.token;
        },
      );
    });
}

function requestOf(service: string | undefined, options: TokenOptions): JoinTokenRequest {
  const { gateway, port, protocol, serviceAccount, ttl: ttlMs, maxUses, cidr: cidrs, network } = options;
  const limits = { ttlMs, maxUses, cidrs, ...(network === undefined ? {} : { network }) };
  if (gateway === true && service === undefined && port === undefined) return { role: 'gateway', ...limits };
  if (gateway === true || service === undefined || port === undefined) {
    throw new CliError(
      exitCode.invalid,
      'INVALID_INPUT',
      'a token is for a service or for a gateway',
      'give NAMESPACE/NAME and --port PORT, or --gateway alone',
    );
  }
  return { role: 'workload', service, port, protocol, ...(serviceAccount === undefined ? {} : { serviceAccount }), ...limits };
}
