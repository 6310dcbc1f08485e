import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { MigrationReportFiles } from '../../core/admin/index.ts';
import type { Io } from '../io.ts';
import { clientFor } from '../leaf.ts';
import { type MigrationOptions, migrationLeaf, migrationPath } from './migrate-target.ts';

interface ReportOptions extends MigrationOptions {
  readonly format: 'markdown' | 'json' | 'svg';
  readonly write?: string;
}

const extension = { markdown: '.md', json: '.json', svg: '.svg' } as const;

export function addMigrateReport(group: Command, io: Io): void {
  migrationLeaf(group, 'report', 'steps, figures, who moved and who still calls the old side, of the newest run', [
    'migrate report shop/orders-to-prod > orders.md',
    'migrate report shop/orders-to-prod --format svg > orders.svg',
    'migrate report shop/orders-to-prod --write reports/',
  ])
    .argument('<name>', 'NAME or NAMESPACE/NAME')
    .addOption(new Option('--format <format>', 'what is printed').choices(['markdown', 'json', 'svg']).default('markdown'))
    .option('--write <folder>', 'write all of them there instead, as NAME.md, NAME.json and NAME.svg')
    .action(async (name: string, options: ReportOptions) => {
      const client = await clientFor(options, io);
      const path = `${migrationPath(name, options.namespace)}/report/files`;
      const { files } = await client.get<MigrationReportFiles>(path);
      const { write } = options;
      if (write === undefined) {
        const wanted = extension[options.output === 'json' ? 'json' : options.format];
        return io.out(files.find((each) => each.name.endsWith(wanted))?.text ?? '');
      }
      await mkdir(write, { recursive: true });
      const written: string[] = [];
      for (const file of files) {
        // A name is the server's: nothing of it leads out of the folder.
        const target = join(write, file.name.replaceAll(/[^A-Za-z0-9._-]/g, '_'));
        await writeFile(target, file.text);
        written.push(target);
      }
      io.out(options.output === 'json' ? `${JSON.stringify({ written })}\n` : `Wrote ${written.join(', ')}\n`);
    });
}
