import { type Command, Option } from 'commander';
import type { Invite } from '../../core/admin/index.ts';
import { durationFlag } from '../arguments.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';

export function addPeerInvite(peer: Command, io: Io): void {
  apiLeaf(peer, 'invite', 'make an invitation with which another cluster joins this mesh', [
    'peer invite',
    'peer invite --ttl 1h',
    'peer invite --dial west.example.org:15012   # when this side cannot be dialled from there',
  ])
    .addOption(new Option('--ttl <duration>', 'how long it may be used').argParser(durationFlag).default(15 * 60_000, '15m'))
    .option('--dial <address>', 'HOST:PORT of the other control plane: this side dials it')
    .action((options: LeafOptions & TargetOptions & { readonly ttl: number; readonly dial?: string }) =>
      callAndEmit(
        io,
        options,
        (client) =>
          client.post<Invite>('/v1/peers/invite', {
            ttlMs: options.ttl,
            ...(options.dial === undefined ? {} : { dial: options.dial }),
          }),
        (made) => {
          io.err(`Until ${made.expiresAt}, in the other cluster: isthmus peer join TOKEN. It is a secret.\n`);
          return made.token;
        },
      ),
    );
}
