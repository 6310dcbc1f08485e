import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { runCli as runProgram } from '../../cli/program.ts';
import type { MigrationsApi } from '../../control/admin/index.ts';
import { namespacesOf } from '../../control/objects/index.ts';
import type { MigrationStatus } from '../../core/admin/index.ts';
import { FakeControlApi } from '../fakes/control-api.ts';
import { FakeMigrations } from '../fakes/migrations.ts';
import { startAdmin } from './admin-server.ts';
import { sampleMigration } from './migration-samples.ts';

interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** In this process: a command line is one call. */
export async function runInProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  interactive = false,
): Promise<CliResult> {
  const said = { out: '', err: '' };
  const code = await runProgram(args, {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    input: async () => '',
    env,
    signal: new AbortController().signal,
    interactive,
  });
  return { code, ...said };
}

/** Remembers what was applied; each document is one object, as its metadata says. */
class FakeObjects {
  readonly applied: boolean[] = [];
  action: 'created' | 'unchanged' = 'created';
  namespacesOf = namespacesOf;
  async apply({ files, dryRun = false }: { files: readonly { text: string }[]; dryRun?: boolean }) {
    this.applied.push(dryRun);
    const objects = files.map(({ text }) => {
      const { kind, metadata } = JSON.parse(text) as { kind: string; metadata: { name: string; namespace: string } };
      return { kind, group: 'isthmus.dev', ...metadata, action: this.action };
    });
    return { ok: true as const, value: { value: { dryRun, objects }, diff: [] } };
  }
}

/** A real admin API over migrations that are what a test makes of them, and `isthmus migrate` for it. */
export async function migrateScene(t: TestContext, ...statuses: readonly MigrationStatus[]) {
  const migrations = new FakeMigrations(...(statuses.length === 0 ? [sampleMigration()] : statuses));
  return { ...(await migrateCommands(t, migrations)), migrations };
}

/** The same over migrations of any kind. */
export async function migrateCommands(t: TestContext, migrations: MigrationsApi) {
  const objects = new FakeObjects();
  const admin = await startAdmin(t, { api: Object.assign(new FakeControlApi(), { migrations, objects: objects as never }) });
  const [caFile, credentialFile] = ['ca.pem', 'credential'].map((file) => join(admin.dir, file));
  await writeFile(caFile ?? '', admin.rootPem);
  await writeFile(credentialFile ?? '', `${admin.secret}\n`);
  const env = { ISTHMUS_API: `127.0.0.1:${admin.port}`, ISTHMUS_CA_FILE: caFile ?? '', ISTHMUS_CREDENTIAL_FILE: credentialFile ?? '' };
  const run = (...args: string[]): Promise<CliResult> => runInProcess(['migrate', ...args], env);
  const document = async (file: string, kind: string) => {
    const path = join(admin.dir, file);
    await writeFile(
      path,
      JSON.stringify({ apiVersion: 'isthmus.dev/v1alpha1', kind, metadata: { namespace: 'shop', name: 'orders-to-prod' } }),
    );
    return path;
  };
  return { ...admin, objects, run, document, env };
}
