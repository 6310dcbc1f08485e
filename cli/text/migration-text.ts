import type { DrainEndpoint, GateStatus, MigrationStatus, SideStatus } from '../../core/admin/index.ts';
import { count, drainCallerRows, drainRows, percent, rounded, withUnit } from '../../core/figures.ts';
import { hasEnded } from './migration-phase.ts';
import { age, section, table } from './table.ts';

const shownEvents = 8;

/** Pure: where a migration stands, by what it is judged, and what comes next. */
export function migrationText(status: MigrationStatus): string {
  const { from, to, gates, drain, events } = status;
  const parts = [
    headLines(status),
    section('Sides', sideHeader, [sideRow('from', from), sideRow('to', to)])
      .trimEnd()
      .split('\n'),
    ...(gates.length === 0 ? [] : [section('Gates', gateHeader, gates.map(gateRow)).trimEnd().split('\n')]),
    ...(drain.length === 0 ? [] : [drainLines(drain)]),
    ...(events.length === 0 ? [] : [['Events', ...events.slice(-shownEvents).map((e) => `  ${eventLine(e)}`)]]),
    nextLines(status),
  ];
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

/** In one line: what moves, and how far it is. */
export function migrationHeadline(status: MigrationStatus): string {
  const { namespace, name, phase, to, paused, hold } = status;
  const halted = paused !== null ? ', paused' : hold !== null ? ', held' : '';
  return `${namespace}/${name}: ${phase} at ${percent(to.weight)}${halted}`;
}

export function eventLine({ at, type, by, message, weight }: MigrationStatus['events'][number]): string {
  return `${at}  ${percent(weight).padStart(6)}  ${type}: ${message}${by === 'isthmus' ? '' : ` (${by})`}`;
}

function headLines(status: MigrationStatus): string[] {
  const { namespace, name, service, from, to, run, paused, hold, rollback, specChanged } = status;
  return [
    `${namespace}/${name}: ${service} moves from ${from.side} to ${to.side}${run > 1 ? ` (run ${run})` : ''}`,
    `${phaseLine(status)}: ${percent(to.weight)} asked, ${to.measured === null ? 'nothing measured yet' : `${percent(to.measured)} measured`}`,
    `Steps: ${stepsLine(status)}${status.mirrorPercent > 0 ? `; ${percent(status.mirrorPercent)} of requests are copied` : ''}`,
    ...(status.nativeName === 'none' ? [] : [`Native name: ${status.nativeName === 'switched' ? 'switched to gateways' : 'as it was'}`]),
    ...(paused === null ? [] : [`PAUSED by ${paused.by} since ${paused.at}: ${paused.reason}`]),
    ...(hold === null ? [] : [`HELD since ${hold.since}: ${hold.reason}`]),
    ...(rollback === null ? [] : [`WENT BACK from ${percent(rollback.fromWeight)} at ${rollback.at}: ${rollback.reason}`]),
    ...(specChanged ? ['The object was changed since this run began: that counts from the next start.'] : []),
  ];
}

function phaseLine({ phase, step, steps }: MigrationStatus): string {
  return phase === 'stepping' ? `Step ${step + 1} of ${steps.length}` : `Phase ${phase}`;
}

/** `1 %, 5 %, [25 %], 50 %, 100 % (approval)`. */
function stepsLine({ steps, step, phase }: MigrationStatus): string {
  return steps
    .map(({ weight, approval, approved }, i) => {
      const text = phase === 'stepping' && i === step ? `[${percent(weight)}]` : percent(weight);
      return `${text}${approval ? (approved ? ' (approved)' : ' (needs approval)') : ''}`;
    })
    .join(', ');
}

const sideHeader = [
  '',
  'SIDE',
  'STATE',
  'HEALTHY',
  'ASKED',
  'MEASURED',
  'REQUESTS',
  'CONNECTIONS',
  'ERRORS',
  'P50',
  'P90',
  'P99',
  'IN FLIGHT',
];

function sideRow(word: string, side: SideStatus): string[] {
  return [
    word,
    side.side,
    side.state,
    `${side.healthy}/${side.endpoints}`,
    percent(side.weight),
    percent(side.measured),
    count(side.requests),
    count(side.connections),
    count(side.errors),
    withUnit(side.p50, 'ms'),
    withUnit(side.p90, 'ms'),
    withUnit(side.p99, 'ms'),
    side.inFlight === null ? '-' : rounded(side.inFlight),
  ];
}

const gateHeader = ['GATE', 'TYPE', 'VERDICT', 'VALUE', 'LIMIT', 'OLD SIDE', 'SAMPLES', 'CONFIDENCE', 'WHY'];

function gateRow(gate: GateStatus): string[] {
  return [
    gate.name,
    gate.type,
    gate.verdict === 'breach' ? 'BREACH' : gate.verdict,
    withUnit(gate.value, gate.unit),
    gate.limit,
    withUnit(gate.compared, gate.unit),
    gate.samples >= gate.needed ? count(gate.samples) : `${count(gate.samples)} of ${count(gate.needed)}`,
    gate.confidence === null ? '-' : percent(100 * gate.confidence),
    gate.reason,
  ];
}

const drainHeader = ['ENDPOINT', 'INSTANCE', 'VERDICT', 'SINCE', 'MESH STREAMS', 'WHY'];

function drainLines(drain: readonly DrainEndpoint[]): string[] {
  const callers = drainCallerRows(drain);
  const calls =
    callers.length === 0 ? [] : ['', 'Still called from outside the mesh', table(['ENDPOINT', 'CALLER', 'NAME', 'CONNECTIONS'], callers)];
  return ['Old side', table(drainHeader, drainRows(drain)), ...calls];
}

function nextLines(status: MigrationStatus): string[] {
  const { remainingMs, next, leader } = status;
  const nobody = leader === '' && !hasEnded(status) && status.phase !== 'reserved';
  return [
    ...(remainingMs === null ? [] : [`Left: at least ${age(remainingMs)}`]),
    `Next: ${next}`,
    ...(nobody ? ['Nobody drives it now: a replica takes over by itself, and the weights stay meanwhile.'] : []),
  ];
}
