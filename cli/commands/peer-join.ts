import type { Command } from 'commander';
import type { JoinedPeer } from '../../core/admin/index.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';

export function addPeerJoin(peer: Command, io: Io): void {
  apiLeaf(peer, 'join', 'join this cluster to the mesh of an invitation', ['peer join isthmus-peer-v1.eyJ...'])
    .argument('<token>', 'what isthmus peer invite printed in the other cluster')
    .action((token: string, options: LeafOptions & TargetOptions) =>
      callAndEmit(io, options, (client) => client.post<JoinedPeer>('/v1/peers/join', { token }), joinedText),
    );
}

function joinedText({ cluster, trustDomain, state }: JoinedPeer): string {
  return state === 'joined'
    ? `Joined ${cluster} in trust domain ${trustDomain}. See isthmus peer list.`
    : `${cluster} has taken the request; its root is offline and has to sign it there: isthmus ca sign. Until then this cluster issues nothing.`;
}
