import type { Command } from 'commander';
import type { InstanceList } from '../../core/admin/index.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { age, table } from '../text/table.ts';

export function addVmList(vm: Command, io: Io): void {
  apiLeaf(vm, 'list', 'VMs and gateways that have joined', ['vm list', "vm list --output json | jq '.instances[].id'"]).action(
    (options: LeafOptions & TargetOptions) =>
      callAndEmit(io, options, (client) => client.get<InstanceList>('/v1/instances'), instancesText),
  );
}

function instancesText({ instances }: InstanceList): string {
  if (instances.length === 0) return 'none';
  return table(
    ['INSTANCE', 'ROLE', 'SERVICES', 'STAGE', 'SILENT FOR', 'NETWORK', 'ADDRESSES', 'WHY'],
    instances.map((i) => [
      i.id,
      i.role,
      i.services.join(' ') || '-',
      i.stage,
      age(i.ageMs),
      i.network,
      i.addresses.join(' '),
      i.reason ?? '',
    ]),
  );
}
