import { writeFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { MigrationPlan, MigrationPlanRequest } from '../../core/admin/index.ts';
import { collect } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import type { TargetOptions } from '../context/target.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, clientFor } from '../leaf.ts';
import { readDocuments } from '../read-documents.ts';
import { migrationPlanText } from '../text/migration-plan-text.ts';
import { type ProposedSpec, proposedSpec, sideFlag } from './migrate-spec.ts';
import { namespaceOption } from './migrate-target.ts';

interface PlanOptions extends TargetOptions, ProposedSpec {
  readonly output: 'text' | 'json' | 'yaml';
  readonly namespace: string;
  readonly name?: string;
  readonly filename?: readonly string[];
  readonly from?: Side;
  readonly to?: Side;
  readonly write?: string;
}

type Proposal = NonNullable<MigrationPlanRequest['propose']>;
type Side = Proposal['from'];

export function addMigratePlan(group: Command, io: Io): void {
  const command = apiLeaf(
    group,
    'plan',
    'look at what must hold before a service moves, and write the Migration to review; nothing changes',
    [
      'migrate plan shop/orders --from consul/dc1 --to kubernetes/prod --write orders-to-prod.yaml',
      'migrate plan shop/orders --from consul/dc1 --to west/kubernetes/prod --steps 1,10,50,100 --bake 10m --mirror 10%',
      'migrate plan shop/orders --from consul/dc1 --to kubernetes/prod --gate errorRate:max=0.5% --gate tail=latency:percentile=99.9,max=400ms',
      'migrate plan -f orders-to-prod.yaml',
    ],
    ['text', 'json', 'yaml'],
  );
  planFlags(command).action(async (service: string | undefined, options: PlanOptions) => {
    const { filename = [], namespace, output, write } = options;
    if ((service === undefined) === (filename.length === 0))
      throw new CliError(exitCode.invalid, 'INVALID_INPUT', 'say what to plan', 'give SERVICE with --from and --to, or -f FILE');
    const request: MigrationPlanRequest =
      service === undefined ? { namespace, files: await readDocuments(filename, io) } : proposal(service, options);
    const client = await clientFor(options, io);
    const plan = await client.post<MigrationPlan>('/v1/migrations/plan', request);
    if (write !== undefined) await writeNew(write, plan.yaml);
    if (output === 'yaml') io.out(plan.yaml);
    else emit(io, output, plan, `${migrationPlanText(plan)}${write === undefined ? '' : `Wrote ${write}\n`}`);
    if (plan.ok) return;
    const failed = plan.checks.filter((check) => check.ok === 'fail').map((check) => `${check.name}: ${check.message}`);
    throw new CliError(exitCode.invalid, 'PLAN_ERRORS', `it must not begin: ${failed.join('; ')}`);
  });
}

function planFlags(command: Command): Command {
  return command
    .argument('[service]', 'NAME or NAMESPACE/NAME')
    .option('--from <source>', 'the side that is left: SOURCE of this cluster, or CLUSTER/SOURCE', sideFlag)
    .option('--to <source>', 'the side that it moves to', sideFlag)
    .option('-f, --filename <path>', 'a Migration that is written already; or - for standard input', collect)
    .addOption(namespaceOption())
    .option('--name <name>', 'of the Migration')
    .option('--steps <weights>', 'percent, rising to 100, with commas; `!` behind one that needs an approval', stepsFlag)
    .option('--bake <duration>', 'how long gates must hold at each step; without --steps at 1,5,25,50,100')
    .option('--mirror <percent>', 'copy so many requests to the new side first, such as 10%')
    .option('--interval <duration>', 'between two looks at the gates')
    .option('--gate <gate>', '[NAME=]TYPE:FIELD=VALUE,...; may be repeated; stands in place of all that would be proposed', collect)
    .option('--native-name <registry>', 'callers without a sidecar move too: REGISTRY, or REGISTRY@PERCENT for the step to begin with')
    .option('--depends-on <migration>', 'one that must be done first; may be repeated', collect)
    .addOption(new Option('--on-no-data <action>', 'where gates know nothing for too long').choices(['hold', 'rollback']))
    .addOption(new Option('--on-partition <action>', 'where the sides cannot be reached').choices(['hold', 'rollback']))
    .option('--webhook <url>', 'told of every event; may be repeated', collect)
    .option('--write <file>', 'write the Migration there; never over a file that is there')
    .addHelpText('after', 'It exits 2 when a check fails.');
}

function proposal(service: string, options: PlanOptions): MigrationPlanRequest {
  const { from, to, name } = options;
  if (from === undefined || to === undefined)
    throw new CliError(exitCode.invalid, 'INVALID_INPUT', 'say where it moves', 'give --from SOURCE and --to SOURCE, see isthmus status');
  const [first = '', second, more] = service.split('/');
  if (more !== undefined) throw new CliError(exitCode.invalid, 'INVALID_INPUT', `${service} is not NAME or NAMESPACE/NAME of a service`);
  const spec = proposedSpec(options);
  const named = { ...(name === undefined ? {} : { name }), ...(Object.keys(spec).length === 0 ? {} : { spec }) };
  const namespace = second === undefined ? options.namespace : first;
  return { namespace, propose: { service: second ?? first, from, to, ...named } };
}

function stepsFlag(text: string): ProposedSpec['steps'] {
  return text.split(',').map((part) => {
    const match = /^([0-9]+(?:\.[0-9]+)?)%?(!?)$/.exec(part.trim());
    if (match === null) throw new InvalidArgumentError('It must be weights such as 1,5,25,50,100!');
    const weight = Number(match[1]);
    return match[2] === '!' ? { weight, approval: true } : weight;
  });
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error;
    throw new CliError(
      exitCode.invalid,
      'CONFLICT',
      `${file} is there already, and was not written over`,
      'give another name, or remove it',
    );
  }
}
