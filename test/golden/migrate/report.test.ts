import test from 'node:test';
import { reportFiles } from '../../../control/migrate/report/index.ts';
import type { MigrationReport } from '../../../core/admin/index.ts';
import { assertGoldenText } from '../../support/golden.ts';
import { sampleDraining, sampleMigration, sampleReport } from '../../support/migration-samples.ts';

async function golden(name: string, report: MigrationReport): Promise<void> {
  for (const file of reportFiles(report)) {
    const extension = file.name.slice(file.name.lastIndexOf('.'));
    if (extension !== '.json') await assertGoldenText(`test/golden/migrate/${name}.golden${extension}`, file.text);
  }
}

test('of a migration that runs', () => golden('running', sampleReport(sampleMigration())));

test('of one that is done, and still called at its old side', () =>
  golden('done', sampleReport({ ...sampleDraining(), phase: 'done', endedAt: '2030-01-01T01:20:00.000Z' })));

test('of one that went back', () => {
  const rollback = { reason: 'errors: 3.1 % against ≤ 1 %', at: '2030-01-01T00:14:00.000Z', fromWeight: 25 };
  const status = sampleMigration({ phase: 'rolled-back', rollback, endedAt: '2030-01-01T00:14:15.000Z' });
  return golden('rolled-back', sampleReport(status));
});

test('of one that was never started', () => {
  const status = sampleMigration({
    phase: 'reserved',
    run: 0,
    step: -1,
    startedAt: null,
    events: [],
    to: { ...sampleMigration().to, weight: 0, measured: null },
  });
  return golden('reserved', { status, baseline: null, steps: [], samples: [], events: [], callers: [] });
});
