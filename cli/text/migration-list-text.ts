import type { MigrationList, MigrationStatus } from '../../core/admin/index.ts';
import { percent } from '../../core/figures.ts';
import { hasEnded } from './migration-phase.ts';
import { table } from './table.ts';

const header = ['MIGRATION', 'SERVICE', 'FROM', 'TO', 'PHASE', 'ASKED', 'MEASURED', 'NEXT'];

/** Pure: all migrations, a line each; those that run first. */
export function migrationListText({ migrations, freeze, limit }: MigrationList): string {
  const order = [...migrations].sort((a, b) => Number(hasEnded(a)) - Number(hasEnded(b)));
  const running = migrations.filter((each) => !hasEnded(each) && each.phase !== 'reserved' && each.phase !== 'waiting').length;
  const lines = [
    migrations.length === 0 ? 'No migration.' : table(header, order.map(row)),
    `${running} of at most ${limit} at once.`,
    ...(freeze === null ? [] : [`FROZEN by ${freeze.by} since ${freeze.at}: ${freeze.reason}`]),
  ];
  return `${lines.join('\n')}\n`;
}

function row({ namespace, name, service, from, to, phase, paused, hold, next }: MigrationStatus): string[] {
  const state = paused !== null ? `${phase}, paused` : hold !== null ? `${phase}, held` : phase;
  return [`${namespace}/${name}`, service, from.side, to.side, state, percent(to.weight), percent(to.measured), next];
}
