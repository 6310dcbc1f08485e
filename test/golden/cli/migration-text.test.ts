import test from 'node:test';
import { migrationListText } from '../../../cli/text/migration-list-text.ts';
import { migrationPlanText } from '../../../cli/text/migration-plan-text.ts';
import { migrationText } from '../../../cli/text/migration-text.ts';
import type { MigrationStatus } from '../../../core/admin/index.ts';
import { assertGoldenText } from '../../support/golden.ts';
import { sampleDraining, sampleMigration, samplePlan } from '../../support/migration-samples.ts';

const golden = (name: string, text: string) => assertGoldenText(`test/golden/cli/${name}.golden.txt`, text);
const rolledBack: Partial<MigrationStatus> = {
  phase: 'rolled-back',
  step: -1,
  to: { ...sampleMigration().to, weight: 0, measured: 0 },
  from: { ...sampleMigration().from, weight: 100, measured: 100 },
  gates: [],
  events: [],
  remainingMs: null,
  next: 'nothing: start it again once the reason is gone',
};

test('a migration in the middle of a step', () => golden('migration-stepping', migrationText(sampleMigration())));

test('a migration that drains its old side', () => golden('migration-draining', migrationText(sampleDraining())));

test('a migration that people paused, whose object was changed, and which nobody leads', () => {
  const paused = { by: 'credential:ann', at: '2030-01-01T00:12:00.000Z', reason: 'lunch' };
  const hold = { reason: 'checkouts knows nothing for 5m00s', since: '2030-01-01T00:13:00.000Z' };
  return golden(
    'migration-halted',
    migrationText(sampleMigration({ paused, hold, specChanged: true, leader: '', run: 3, mirrorPercent: 10 })),
  );
});

test('a migration that went back', () => {
  const rollback = { reason: 'errors: 3.1 % against ≤ 1 %', at: '2030-01-01T00:14:00.000Z', fromWeight: 25 };
  return golden('migration-rolled-back', migrationText(sampleMigration({ ...rolledBack, rollback, endedAt: '2030-01-01T00:14:15.000Z' })));
});

test('all migrations, frozen', () => {
  const migrations = [sampleMigration({ ...rolledBack, namespace: 'billing' }), sampleMigration(), sampleDraining()];
  const freeze = { by: 'credential:ann', at: '2030-01-01T00:00:00.000Z', reason: 'sale' };
  return golden('migration-list', migrationListText({ migrations, freeze, limit: 3 }));
});

test('no migration', () => golden('migration-list-empty', migrationListText({ migrations: [], freeze: null, limit: 3 })));

test('a plan that may begin', () => golden('migration-plan', migrationPlanText(samplePlan())));

test('a plan that must not begin', () => {
  const failed = {
    name: 'identity',
    ok: 'fail',
    message: 'callers would refuse sa/orders-v2',
    fix: 'run it as sa/orders',
    path: 'spec.to',
  } as const;
  return golden('migration-plan-failed', migrationPlanText({ ...samplePlan(), ok: false, checks: [...samplePlan().checks, failed] }));
});
