import type { Command } from 'commander';
import type { MtlsStatus } from '../../core/admin/index.ts';
import { serviceArgument } from '../arguments.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { mtlsText } from '../text/mtls-text.ts';

export function addMtlsStatus(mtls: Command, io: Io): void {
  apiLeaf(mtls, 'status', 'what each service takes (PeerAuthentication), and who still calls it in the clear', [
    'mtls status',
    'mtls status shop/orders',
    'mtls status --output json | jq \'.ports[] | select(.strictIsSafe != "yes")\'',
  ])
    .argument('[service]', 'NAMESPACE/NAME', serviceArgument)
    .action(async (service: string | undefined, options: LeafOptions & TargetOptions) => {
      const query = service === undefined ? '' : `?service=${encodeURIComponent(service)}`;
      await callAndEmit(
        io,
        options,
        (client) => client.get<MtlsStatus>(`/v1/mtls${query}`),
        (status) => mtlsText(status, service !== undefined),
      );
    });
}
