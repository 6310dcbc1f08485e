import type { Command } from 'commander';
import type { PeerList } from '../../core/admin/index.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { peersTable } from '../text/status-text.ts';

export function addPeerList(peer: Command, io: Io): void {
  apiLeaf(peer, 'list', 'clusters that this one is joined to', ['peer list']).action((options: LeafOptions & TargetOptions) =>
    callAndEmit(io, options, (client) => client.get<PeerList>('/v1/peers'), peersTable),
  );
}
