import { type Command, Option } from 'commander';
import type { AttestorToken, CreatedJoinToken, JoinTokenRequest } from '../core/admin/index.ts';
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
  readonly address?: string[];
  readonly attestor?: string;
}

export function addTokenLimits(command: Command): Command {
  return command
    .addOption(new Option('--ttl <duration>', 'how long it may be redeemed').argParser(durationFlag).default(3_600_000, '1h'))
    .option('--max-uses <count>', 'how many instances it lets in', countFlag, 1)
    .option('--cidr <range>', 'source range that may redeem it; may be repeated (default: any)', collect)
    .option(
      '--address <range>',
      'IP or range of addresses that it may register; may be repeated (default: where it is seen from; of a gateway any)',
      collect,
    )
    .option(
      '--attestor <policy>',
      'no secret: what the AttestationPolicy of that name takes is the proof (NAMESPACE/NAME, or one of isthmus-system)',
    )
    .option('--network <name>', "network of the instance (default: the control plane's)");
}

type Holder = Pick<JoinTokenRequest, 'role' | 'service' | 'port' | 'also' | 'protocol' | 'serviceAccount' | 'group'>;

export async function createToken(io: Io, options: TokenLimits, holder: Holder): Promise<void> {
  const { ttl: ttlMs, maxUses, cidr: cidrs = [], network, address } = options;
  const addresses = address === undefined ? {} : { addresses: address };
  const body: JoinTokenRequest = { ...holder, ttlMs, maxUses, cidrs, ...addresses, ...(network === undefined ? {} : { network }) };
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

/** For an AttestationPolicy: what the machine is let to be says its rules, so no flag about that goes with it. */
export async function attestorToken(io: Io, options: TokenLimits & { readonly attestor: string }): Promise<void> {
  const [namespace = '', name = ''] = options.attestor.includes('/') ? options.attestor.split('/') : ['isthmus-system', options.attestor];
  const query = options.network === undefined ? '' : `?network=${encodeURIComponent(options.network)}`;
  const path = `/v1/attestors/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/token${query}`;
  await callAndEmit(
    io,
    options,
    (client) => client.get<AttestorToken>(path),
    (made) => {
      io.err(`Token for what ${made.attestor} (${made.type}) takes. It is no secret; join with it and the proof: isthmus vm join --help\n`);
      return made.token;
    },
  );
}
