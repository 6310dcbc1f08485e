import { type TObject, Type } from 'typebox';
import {
  ApproveRequest,
  label,
  MigrationFreeze,
  MigrationList,
  MigrationPlan,
  MigrationPlanRequest,
  MigrationReason,
  MigrationReport,
  MigrationReportFiles,
  MigrationStatus,
} from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { MigrationCommand } from '../migrate/contract.ts';
import { reportFiles } from '../migrate/report/index.ts';
import { ApiRefusal } from './api-errors.ts';
import type { ControlApi } from './control-api.ts';
import type { MigrationsApi } from './migrations-api.ts';
import { asking, changing, type Route, reading } from './route.ts';

const closed = { additionalProperties: false };
const none = Type.Object({}, closed);
const one = Type.Object({ namespace: label, name: Type.String({ pattern: '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$' }) }, closed);
/** Text of 1 MiB, escaped. */
const planBytes = 4 * 1024 * 1024;

function migrationsOf(api: ControlApi): MigrationsApi {
  if (api.migrations === undefined) throw new MeshError('NOT_FOUND', 'this control plane drives no migrations');
  return api.migrations;
}

const ofOne = { params: one, scope: ({ params }: { params: { readonly namespace: string } }) => params.namespace };

const readingRoutes: readonly Route[] = [
  asking({
    path: '/v1/migrations/plan',
    role: 'viewer',
    query: none,
    params: none,
    body: MigrationPlanRequest,
    reply: MigrationPlan,
    bodyBytes: planBytes,
    scope: ({ body: { files, namespace = 'default' } }, api) =>
      files === undefined ? namespace : (api.objects?.namespacesOf(files, namespace) ?? '*'),
    ask: async (api, { body }) => {
      if ((body.files === undefined) === (body.propose === undefined))
        throw new ApiRefusal(400, 'INVALID_INPUT', 'a plan is of files, or of what to propose: give one of the two');
      const checked = await migrationsOf(api).plan(body);
      if (checked.ok) return checked.value;
      const { violations } = checked;
      throw new ApiRefusal(
        422,
        'CONFIG_INVALID',
        `there is no plan: ${violations.length} ${violations.length === 1 ? 'mistake' : 'mistakes'}`,
        violations,
      );
    },
  }),
  reading({
    path: '/v1/migrations',
    role: 'viewer',
    scope: 'some',
    query: none,
    params: none,
    reply: MigrationList,
    read: async (api, { grants }) => {
      const all = await migrationsOf(api).list();
      return { ...all, migrations: all.migrations.filter((each) => grants.has('viewer', each.namespace)) };
    },
  }),
  reading({
    ...ofOne,
    path: '/v1/migrations/:namespace/:name',
    role: 'viewer',
    query: none,
    reply: MigrationStatus,
    read: (api, { params }) => migrationsOf(api).status(params.namespace, params.name),
  }),
  reading({
    ...ofOne,
    path: '/v1/migrations/:namespace/:name/report',
    role: 'viewer',
    query: none,
    reply: MigrationReport,
    read: (api, { params }) => migrationsOf(api).report(params.namespace, params.name),
  }),
  reading({
    ...ofOne,
    path: '/v1/migrations/:namespace/:name/report/files',
    role: 'viewer',
    query: none,
    reply: MigrationReportFiles,
    read: async (api, { params }) => ({ files: [...reportFiles(await migrationsOf(api).report(params.namespace, params.name))] }),
  }),
];

/** One command of people to one migration; `make` may look at what it has come to. */
function commanding<B extends TObject>(
  verb: string,
  body: B,
  make: (call: {
    readonly body: object;
    readonly by: string;
    status(): Promise<MigrationStatus>;
  }) => MigrationCommand | Promise<MigrationCommand>,
): Route {
  return changing({
    ...ofOne,
    method: 'POST',
    path: `/v1/migrations/:namespace/:name/${verb}`,
    role: 'operator',
    query: none,
    body: body as TObject,
    reply: MigrationStatus,
    change: async (api, { params: { namespace, name }, body: said, caller }) => {
      const migrations = migrationsOf(api);
      const command = await make({ body: said, by: caller.subject, status: () => migrations.status(namespace, name) });
      return migrations.command(namespace, name, command);
    },
  });
}

const reasonOf = (body: object): string => (body as MigrationReason).reason;

const commandRoutes: readonly Route[] = [
  commanding('start', none, ({ by }) => ({ type: 'start', by })),
  commanding('abort', none, ({ by }) => ({ type: 'abort', by })),
  commanding('resume', none, ({ by }) => ({ type: 'resume', by })),
  commanding('pause', MigrationReason, ({ body, by }) => ({ type: 'pause', by, reason: reasonOf(body) })),
  commanding('rollback', MigrationReason, ({ body, by }) => ({ type: 'rollback', by, reason: reasonOf(body) })),
  commanding('finish', MigrationReason, ({ body, by }) => ({ type: 'finish', by, reason: reasonOf(body) })),
  commanding('approve', ApproveRequest, async ({ body, by, status }) => {
    return { type: 'approve', by, step: stepToApprove(await status(), (body as ApproveRequest).weight) };
  }),
];

/** Index of the step; `weight`: undefined for the first that waits, or will, for somebody's word. */
function stepToApprove({ steps }: MigrationStatus, weight: number | undefined): number {
  const waiting = steps.flatMap((step, i) => (step.approval && !step.approved ? [{ i, weight: step.weight }] : []));
  const found = weight === undefined ? waiting[0] : waiting.find((each) => each.weight === weight);
  if (found !== undefined) return found.i;
  const those = waiting.length === 0 ? 'none does' : `those that do: ${waiting.map((each) => `${each.weight} %`).join(', ')}`;
  throw new MeshError(
    'CONFLICT',
    weight === undefined ? 'no step waits for an approval' : `no step of ${weight} % waits for an approval; ${those}`,
  );
}

const freezeRoutes: readonly Route[] = [
  changing({
    method: 'POST',
    path: '/v1/migrations/freeze',
    role: 'operator',
    scope: 'mesh',
    query: none,
    params: none,
    body: MigrationReason,
    reply: MigrationFreeze,
    change: (api, { body, caller }) => migrationsOf(api).freeze(body.reason, caller.subject),
  }),
  changing({
    method: 'POST',
    path: '/v1/migrations/unfreeze',
    role: 'operator',
    scope: 'mesh',
    query: none,
    params: none,
    body: none,
    reply: MigrationFreeze,
    change: (api, { caller }) => migrationsOf(api).unfreeze(caller.subject),
  }),
];

export const migrationRoutes: readonly Route[] = [...readingRoutes, ...commandRoutes, ...freezeRoutes];
