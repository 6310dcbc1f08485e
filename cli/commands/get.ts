import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { ObjectList } from '../../core/admin/index.ts';
import type { KindName } from '../../core/config/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { apiLeaf, clientFor } from '../leaf.ts';
import { kindArgument, objectName } from '../object-flags.ts';
import { objectsText } from '../text/object-text.ts';

interface GetOptions extends TargetOptions {
  readonly output: 'text' | 'json' | 'yaml';
  readonly namespace?: string;
}

export function addGet(program: Command, io: Io): void {
  const description = 'traffic objects of every owner: where they come from, how old they are, and what is wrong with them';
  const examples = ['get', 'get virtualservice -n shop', 'get vs shop/reviews -o yaml'];
  apiLeaf(program, 'get', description, examples, ['text', 'json', 'yaml'])
    .argument('[kind]', 'such as VirtualService, virtualservices or vs; default: all', kindArgument)
    .argument('[name]', 'NAME or NAMESPACE/NAME')
    .option('-n, --namespace <name>', 'of the objects; default: all, and default for a NAME')
    .action((kinds: readonly KindName[] | undefined, name: string | undefined, options: GetOptions) => show(io, kinds, name, options));
}

async function show(io: Io, kinds: readonly KindName[] | undefined, name: string | undefined, options: GetOptions): Promise<void> {
  const { output, namespace } = options;
  const query = new URLSearchParams(output === 'text' ? {} : { documents: 'true' });
  if (namespace !== undefined) query.set('namespace', namespace);
  if (kinds !== undefined) {
    const wanted = objectName(kinds, name ?? '', namespace);
    query.set('kind', wanted.kind);
    if (wanted.group !== undefined) query.set('group', wanted.group);
    if (name !== undefined) {
      query.set('name', wanted.name);
      query.set('namespace', wanted.namespace);
    }
  }
  const client = await clientFor(options, io);
  const list = await client.get<ObjectList>(`/v1/objects?${query}`);
  if (name !== undefined && list.objects.length === 0)
    throw new CliError(
      exitCode.failed,
      'NOT_FOUND',
      `there is no ${query.get('kind')} ${query.get('namespace')}/${query.get('name')}`,
      'isthmus get lists all',
    );
  if (output === 'json') io.out(`${JSON.stringify(list, null, 2)}\n`);
  else if (output === 'text') io.out(`${objectsText(list, systemClock.now())}\n`);
  // What apply takes again: the documents, and nothing else.
  else
    io.out(
      list.objects.flatMap((o) => (o.document === undefined || !o.inForce ? [] : [stringify(o.document, { lineWidth: 0 })])).join('---\n'),
    );
}
