import type { Command } from 'commander';
import type { ChangeResult, ObjectName } from '../../core/admin/index.ts';
import { findKinds, type KindName } from '../../core/config/index.ts';
import { formatViolation } from '../../core/validate.ts';
import { parseDocuments, violation } from '../../core/yaml/index.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { followTentative } from '../follow-tentative.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, clientFor } from '../leaf.ts';
import { type ChangeOptions, changeBody, changeFlags, type FileOptions, fileFlags, kindArgument, objectName } from '../object-flags.ts';
import { readDocuments } from '../read-documents.ts';
import { changeText } from '../text/object-text.ts';

type DeleteOptions = ChangeOptions & FileOptions;

export function addDelete(program: Command, io: Io): void {
  const command = apiLeaf(program, 'delete', 'delete traffic objects that were applied: all of them, or none', [
    'delete virtualservice reviews -n shop',
    'delete gateway.networking.istio.io edge/public',
    'delete -f routing/',
  ]);
  changeFlags(fileFlags(command))
    .argument('[kind]', 'such as VirtualService, virtualservices or vs', kindArgument)
    .argument('[names...]', 'NAME or NAMESPACE/NAME')
    .action(async (kinds: readonly KindName[] | undefined, names: readonly string[], options: DeleteOptions) => {
      const named = kinds === undefined ? [] : names.map((name) => objectName(kinds, name, options.namespace));
      const files = await readDocuments(options.filename ?? [], io);
      const objects = [...named, ...files.flatMap(({ file, text }) => namesIn(file, text, options.namespace))];
      if (objects.length === 0) throw new CliError(exitCode.invalid, 'INVALID_INPUT', 'say what to delete', 'give KIND NAME, or -f FILE');
      const client = await clientFor(options, io);
      const result = await client.post<ChangeResult>('/v1/objects/delete', { objects, ...changeBody(options) });
      emit(io, options.output, result, changeText(result));
      if (options.wait === true) await followTentative(client, io, result);
    });
}

interface Named {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
  readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown };
}

/** Names alone count: what else a file says may have changed since it was applied. */
function namesIn(file: string, text: string, namespace = 'default'): ObjectName[] {
  const { documents, violations } = parseDocuments(file, text);
  if (violations.length > 0) throw new CliError(exitCode.invalid, 'INVALID_INPUT', violations.map(formatViolation).join('\n'));
  return documents.map((document) => {
    const { apiVersion, kind: said, metadata } = document.value as Named;
    const { name, namespace: own = namespace } = metadata ?? {};
    const [group = ''] = String(apiVersion ?? '').split('/');
    const kind = findKinds(`${String(said)}.${group}`)[0]?.kind;
    if (kind !== undefined && typeof name === 'string' && typeof own === 'string') return { kind, group, namespace: own, name };
    const where = formatViolation(violation(document, [], 'names no object of a kind that can be applied'));
    throw new CliError(exitCode.invalid, 'INVALID_INPUT', where);
  });
}
