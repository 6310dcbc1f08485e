import type { Command } from 'commander';
import type { InstanceList } from '../../core/admin/index.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { age, table } from '../text/table.ts';

export function addVmList(vm: Command, io: Io): void {
  apiLeaf(vm, 'list', 'VMs and gateways that have joined, and how far each has come', [
    'vm list',
    "vm list --output json | jq '.instances[].id'",
  ]).action((options: LeafOptions & TargetOptions) =>
    callAndEmit(io, options, (client) => client.get<InstanceList>('/v1/instances'), instancesText),
  );
}

function instancesText({ instances }: InstanceList): string {
  if (instances.length === 0) return 'none';
  const rows = instances.map((i) => [
    i.id,
    i.role,
    i.services.join(' ') || '-',
    i.stage,
    ...marks(i),
    age(i.ageMs),
    i.network,
    i.addresses.join(' '),
  ]);
  const list = table(['INSTANCE', 'ROLE', 'SERVICES', 'STAGE', 'A R H S C', 'AGE', 'NETWORK', 'ADDRESSES'], rows);
  const short = instances.filter((i) => i.reason !== undefined).map((i) => [i.id, i.reason ?? '', i.next ?? '']);
  const clones = instances.flatMap((i) => (i.cloneSuspected === undefined ? [] : [[i.id, `seen from ${i.cloneSuspected}`, cloneAdvice]]));
  return [
    list,
    'A attested, R registered, H healthy, S selectable, C reachable (connected back to)',
    ...(short.length === 0 ? [] : ['', table(['INSTANCE', 'WHY NO FURTHER', 'WHAT TO DO'], short)]),
    ...(clones.length === 0 ? [] : ['', table(['CLONE SUSPECTED', 'WHERE', 'WHAT TO DO'], clones)]),
  ].join('\n');
}

const cloneAdvice =
  'on one of them, be it a copied disk or another machine of that name: isthmus vm join TOKEN --reset-identity --instance NAME, with a token and a name of its own (the default is the host name)';

const signs = { yes: 'y', no: 'n', unknown: '?', none: '-' } as const;

function marks({ stages }: InstanceList['instances'][number]): string[] {
  return [stages.map(({ ok }) => signs[ok]).join(' ')];
}
