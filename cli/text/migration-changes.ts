import type { MigrationEvent, MigrationStatus } from '../../core/admin/index.ts';
import { withUnit } from '../../core/figures.ts';
import { eventLine, migrationHeadline } from './migration-text.ts';

/** Pure: what is new since `before`, a line each; of the first look where it stands. Nothing new: no line. */
export function migrationChanges(before: MigrationStatus | undefined, now: MigrationStatus): readonly string[] {
  if (before === undefined) return [migrationHeadline(now), ...now.events.slice(-1).map(eventLine)];
  return [...newEvents(before.events, now.events).map(eventLine), ...gateChanges(before, now)];
}

/** The newest are kept: of those that were seen the last is looked for, from the end. */
function newEvents(before: readonly MigrationEvent[], now: readonly MigrationEvent[]): readonly MigrationEvent[] {
  const last = before.at(-1);
  if (last === undefined) return now;
  const seen = now.findLastIndex((each) => each.at === last.at && each.type === last.type && each.message === last.message);
  return now.slice(seen + 1);
}

function gateChanges(before: MigrationStatus, now: MigrationStatus): readonly string[] {
  // Another step is judged from its beginning.
  if (before.run !== now.run || before.step !== now.step) return [];
  return now.gates.flatMap((gate) => {
    const was = before.gates.find((each) => each.name === gate.name);
    if (was === undefined || was.verdict === gate.verdict) return [];
    return [
      `gate ${gate.name}: ${was.verdict} → ${gate.verdict}: ${withUnit(gate.value, gate.unit)} against ${gate.limit}; ${gate.reason}`,
    ];
  });
}
