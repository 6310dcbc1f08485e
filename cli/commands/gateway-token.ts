import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { addTokenLimits, createToken, type TokenLimits } from '../join-token-flags.ts';
import { apiLeaf } from '../leaf.ts';

export function addGatewayToken(gateway: Command, io: Io): void {
  const examples = ['gateway token > gateway.token', 'gateway token --network pods --max-uses 3'];
  addTokenLimits(apiLeaf(gateway, 'token', 'make a token with which an east-west gateway joins', examples)).action((options: TokenLimits) =>
    createToken(io, options, { role: 'gateway' }),
  );
}
