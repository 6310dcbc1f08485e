import { type Command, Option } from 'commander';
import type { ChangeResult } from '../../core/admin/index.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { followTentative } from '../follow-tentative.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, clientFor } from '../leaf.ts';
import { type ChangeOptions, changeBody, changeFlags, type FileOptions, fileFlags } from '../object-flags.ts';
import { readDocuments } from '../read-documents.ts';
import { changeText } from '../text/object-text.ts';

interface ApplyOptions extends ChangeOptions, FileOptions {
  readonly scope?: string;
}

export function addApply(program: Command, io: Io): void {
  const command = apiLeaf(program, 'apply', 'apply traffic objects: all of them, or none', [
    'apply -f reviews.yaml',
    'apply -f routing/ --confirm-within 5m --wait',
    'kubectl get virtualservice reviews -o yaml | isthmus apply -f -',
  ]);
  changeFlags(fileFlags(command))
    .addOption(new Option('--scope <scope>', 'where they hold, instead of what the objects say').choices(['mesh', 'cluster']))
    .action(async (options: ApplyOptions) => {
      const { filename = [], namespace, scope } = options;
      if (filename.length === 0)
        throw new CliError(exitCode.invalid, 'INVALID_INPUT', 'say what to apply', 'give -f FILE, -f FOLDER or -f -');
      const files = await readDocuments(filename, io);
      const client = await clientFor(options, io);
      const result = await client.post<ChangeResult>('/v1/objects/apply', {
        files,
        ...(namespace === undefined ? {} : { namespace }),
        ...(scope === undefined ? {} : { scope }),
        ...changeBody(options),
      });
      emit(io, options.output, result, changeText(result));
      if (options.wait === true) await followTentative(client, io, result);
    });
}
