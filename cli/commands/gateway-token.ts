import type { Command } from 'commander';
import { gatewayKindOption } from '../gateway-kind.ts';
import type { Io } from '../io.ts';
import { addTokenLimits, attestorToken, createToken, type TokenLimits } from '../join-token-flags.ts';
import { apiLeaf } from '../leaf.ts';

export function addGatewayToken(gateway: Command, io: Io): void {
  const examples = ['gateway token > gateway.token', 'gateway token --network pods --max-uses 3', 'gateway token --kind ingress'];
  addTokenLimits(apiLeaf(gateway, 'token', 'make a token with which a gateway joins', examples))
    .addOption(gatewayKindOption())
    .action((options: TokenLimits & { readonly kind: 'gateway' | 'ingress' }) => {
      const { attestor } = options;
      return attestor === undefined ? createToken(io, options, { role: options.kind }) : attestorToken(io, { ...options, attestor });
    });
}
