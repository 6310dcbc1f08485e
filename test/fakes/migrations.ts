import type { MigrationsApi } from '../../control/admin/index.ts';
import type { MigrationCommand } from '../../control/migrate/contract.ts';
import type { MigrationList, MigrationPlan, MigrationPlanRequest, MigrationReport, MigrationStatus } from '../../core/admin/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { Checked } from '../../core/validate.ts';
import { samplePlan, sampleReport } from '../support/migration-samples.ts';

/** Migrations that are what a test put in; commands are remembered, and change nothing but what the test makes of them. */
export class FakeMigrations implements MigrationsApi {
  readonly statuses = new Map<string, MigrationStatus>();
  readonly commands: { readonly of: string; readonly command: MigrationCommand }[] = [];
  readonly plans: MigrationPlanRequest[] = [];
  freeze_: MigrationList['freeze'] = null;
  planned: Checked<MigrationPlan> = { ok: true, value: samplePlan() };
  failure: MeshError | undefined;
  /** Called before each status is given. */
  onAsked: (status: MigrationStatus) => MigrationStatus = (status) => status;

  constructor(...statuses: readonly MigrationStatus[]) {
    for (const each of statuses) this.put(each);
  }

  put(status: MigrationStatus): void {
    this.statuses.set(`${status.namespace}/${status.name}`, status);
  }

  async plan(request: MigrationPlanRequest) {
    this.plans.push(request);
    return this.planned;
  }

  async list(): Promise<MigrationList> {
    return { migrations: [...this.statuses.values()], freeze: this.freeze_, limit: 3 };
  }

  async status(namespace: string, name: string): Promise<MigrationStatus> {
    if (this.failure !== undefined) throw this.failure;
    const found = this.statuses.get(`${namespace}/${name}`);
    if (found === undefined) throw new MeshError('NOT_FOUND', `there is no Migration ${namespace}/${name} here`);
    const said = this.onAsked(found);
    this.put(said);
    return said;
  }

  async report(namespace: string, name: string): Promise<MigrationReport> {
    return sampleReport(await this.status(namespace, name));
  }

  async command(namespace: string, name: string, command: MigrationCommand) {
    const value = await this.status(namespace, name);
    this.commands.push({ of: `${namespace}/${name}`, command });
    return { value, diff: [{ subject: `migration/${namespace}/${name}`, before: { phase: value.phase }, after: { phase: value.phase } }] };
  }

  async freeze(reason: string, by: string) {
    this.freeze_ = { by, at: '2030-01-01T00:00:00.000Z', reason };
    return { value: { freeze: this.freeze_ }, diff: [{ subject: 'migrations/freeze', after: this.freeze_ }] };
  }

  async unfreeze() {
    if (this.freeze_ === null) throw new MeshError('CONFLICT', 'migrations are not frozen');
    const diff = [{ subject: 'migrations/freeze', before: this.freeze_ }];
    this.freeze_ = null;
    return { value: { freeze: null }, diff };
  }
}
