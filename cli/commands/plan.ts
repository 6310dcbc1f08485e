import { type Command, Option } from 'commander';
import type { ObjectName, Plan } from '../../core/admin/index.ts';
import { findKinds } from '../../core/config/index.ts';
import { collect } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, clientFor, type LeafOptions } from '../leaf.ts';
import { type FileOptions, fileFlags, objectName, revisionFlag } from '../object-flags.ts';
import { readDocuments } from '../read-documents.ts';
import { errorsIn, planText } from '../text/plan-text.ts';

interface PlanOptions extends LeafOptions, TargetOptions, FileOptions {
  readonly scope?: string;
  readonly delete?: string[];
  readonly rollback?: number;
}

export function addPlan(program: Command, io: Io): void {
  const command = apiLeaf(
    program,
    'plan',
    'what applying, deleting or going back would change, for which clients, and what is wrong with it',
    ['plan -f routing/', 'plan --delete vs/shop/reviews', "plan --rollback 11 --output json | jq '.findings'"],
  );
  fileFlags(command)
    .addOption(new Option('--scope <scope>', 'where they hold, instead of what the objects say').choices(['mesh', 'cluster']))
    .option('--delete <kind/namespace/name>', 'an object to delete; may be repeated', collect)
    .addOption(new Option('--rollback <revision>', 'plan going back instead').argParser(revisionFlag).conflicts(['filename', 'delete']))
    .addHelpText('after', 'It exits 2 when it finds an error that is not there today.')
    .action(async (options: PlanOptions) => {
      const { filename = [], namespace, scope, rollback } = options;
      const gone = (options.delete ?? []).map(nameOf);
      if (filename.length + gone.length === 0 && rollback === undefined)
        throw new CliError(
          exitCode.invalid,
          'INVALID_INPUT',
          'say what to plan',
          'give -f FILE, --delete KIND/NAMESPACE/NAME or --rollback REVISION',
        );
      const files = await readDocuments(filename, io);
      const client = await clientFor(options, io);
      const plan = await client.post<Plan>('/v1/plan', {
        files,
        ...(namespace === undefined ? {} : { namespace }),
        ...(scope === undefined ? {} : { scope }),
        ...(gone.length === 0 ? {} : { delete: gone }),
        ...(rollback === undefined ? {} : { rollback }),
      });
      emit(io, options.output, plan, planText(plan));
      const errors = errorsIn(plan.findings);
      if (errors > 0) throw new CliError(exitCode.invalid, 'PLAN_ERRORS', `the plan found ${errors} ${errors === 1 ? 'error' : 'errors'}`);
    });
}

function nameOf(text: string): ObjectName {
  const [kind = '', ...rest] = text.split('/');
  if (rest.length !== 2) throw new CliError(exitCode.invalid, 'INVALID_INPUT', `--delete ${text} is not KIND/NAMESPACE/NAME`);
  const kinds = findKinds(kind);
  if (kinds.length === 0) throw new CliError(exitCode.invalid, 'INVALID_INPUT', `--delete ${text}: ${kind} is no kind that can be applied`);
  return objectName(kinds, rest.join('/'));
}
