import type { Command } from 'commander';
import type { RemovedPeer } from '../../core/admin/index.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';

export function addPeerRemove(peer: Command, io: Io): void {
  apiLeaf(peer, 'remove', 'part from a cluster: its services and endpoints go at once', ['peer remove west'])
    .argument('<cluster>', 'name of the other cluster')
    .action((cluster: string, options: LeafOptions & TargetOptions) =>
      callAndEmit(
        io,
        options,
        (client) => client.delete<RemovedPeer>(`/v1/peers/${encodeURIComponent(cluster)}`),
        (gone) => `Removed ${gone.cluster}: ${gone.services} services and ${gone.endpoints} endpoints are gone.`,
      ),
    );
}
