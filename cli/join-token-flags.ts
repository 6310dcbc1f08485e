import { type Command, Option } from 'commander';
import type { CreatedJoinToken, JoinTokenRequest } from '../core/admin/index.ts';
import { collect, countFlag, durationFlag } from './arguments.ts';
import type { TargetOptions } from './context/target.ts';
import type { Io } from './io.ts';
import { callAndEmit, type LeafOptions } from './leaf.ts';

/** What every join token is limited by, whoever it is for. */
export interface TokenLimits extends LeafOptions, TargetOptions {
  readonly ttl: number;
  readonly maxUses: number;
  readonly cidr?: string[];
  readonly network?: string;
}

export function addTokenLimits(command: Command): Command {
  return command
    .addOption(new Option('--ttl <duration>', 'how long it may be redeemed').argParser(durationFlag).default(3_600_000, '1h'))
    .option('--max-uses <count>', 'how many instances it lets in', countFlag, 1)
    .option('--cidr <range>', 'source range that may redeem it; may be repeated (default: any)', collect)
    .option('--network <name>', "network of the instance (default: the control plane's)");
}

type Holder = Pick<JoinTokenRequest, 'role' | 'service' | 'port' | 'protocol' | 'serviceAccount' | 'group'>;

export async function createToken(io: Io, options: TokenLimits, holder: Holder): Promise<void> {
  const { ttl: ttlMs, maxUses, cidr: cidrs = [], network } = options;
  const body: JoinTokenRequest = { ...holder, ttlMs, maxUses, cidrs, ...(network === undefined ? {} : { network }) };
  await callAndEmit(
    io,
    options,
    (client) => client.post<CreatedJoinToken>('/v1/tokens', body),
    (made) => {
      // The token alone on standard output, so that it can be piped.
      const uses = made.maxUses === 1 ? 'one use' : `${made.maxUses} uses`;
      io.err(`Token ${made.id} for ${made.spiffeId}, ${uses}, until ${made.expiresAt}. It is a secret.\n`);
      return made.token;
    },
  );
}
