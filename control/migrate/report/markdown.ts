import type { GateStatus, MigrationReport, SideFigures } from '../../../core/admin/index.ts';
import { count, drainCallerRows, drainRows, percent, withUnit } from '../../../core/figures.ts';
import { between, errorShare } from './words.ts';

type Rows = readonly (readonly string[])[];

/** Pure: what happened, by steps; who moved, and who still calls the old side. `plot`: where its picture is. */
export function reportMarkdown(report: MigrationReport, plot: string): string {
  const { status, events } = report;
  const title = `${status.namespace}/${status.name}: ${status.service} from ${status.from.side} to ${status.to.side}`;
  const parts = [
    `# ${escaped(title)}`,
    `**${escaped(outcome(report))}**`,
    table(['', ''], summary(report)),
    ...(report.samples.length < 2 ? [] : [`![Weights, failures and latency over time](${plot})`]),
    section('Steps', stepHeader, stepRows(report), 'No step began.'),
    section('Gates', gateHeader, gateRows(report), 'No gate was asked.'),
    section('Callers', callerHeader, callerRows(report), 'Nobody called while it moved, as far as proxies have told.'),
    ...oldSide(report),
    section(
      'Events',
      ['at', 'weight', 'event', 'by', ''],
      events.map((e) => [e.at, percent(e.weight), e.type, e.by, e.message]),
      'None.',
    ),
  ];
  return `${parts.join('\n\n')}\n`;
}

function outcome({ status }: MigrationReport): string {
  const { phase, rollback, to, hold } = status;
  const why = rollback === null ? '' : `, from ${percent(rollback.fromWeight)}: ${rollback.reason}`;
  if (phase === 'done') return 'Done: all traffic is on the new side.';
  if (phase === 'rolled-back' || phase === 'rolling-back') return `${phase === 'rolled-back' ? 'It went back' : 'It goes back'}${why}`;
  if (phase === 'aborted') return `Aborted${why}`;
  if (phase === 'reserved') return 'Not started: the new side gets nothing.';
  return `It runs: ${phase}, at ${percent(to.weight)}${hold === null ? '' : `; held: ${hold.reason}`}`;
}

function summary({ status, baseline }: MigrationReport): Rows {
  const { startedAt, endedAt, run, nativeName } = status;
  const name = { none: 'not switched by this migration', original: 'as it was', switched: 'answers with gateways' }[nativeName];
  return [
    ['run', count(run)],
    ['begun', startedAt ?? '-'],
    ['ended', endedAt ?? '-'],
    ['took', between(startedAt, endedAt)],
    ['native name', name],
    ['before the first step', baseline === null ? '-' : figuresText(baseline)],
  ];
}

function figuresText(figures: SideFigures): string {
  const { requests, connections, errors, p50, p99 } = figures;
  const failed = errorShare(errors, requests + connections);
  return `${count(requests)} requests, ${count(connections)} connections, ${failed} failed, p50 ${withUnit(p50, 'ms')}, p99 ${withUnit(p99, 'ms')}`;
}

const sideColumns = ['requests', 'connections', 'failed', 'p50', 'p99'];
const stepHeader = ['step', 'begun', 'took', 'outcome', ...sideColumns.map((c) => `old: ${c}`), ...sideColumns.map((c) => `new: ${c}`)];

function stepRows({ steps }: MigrationReport): Rows {
  return steps.map(({ weight, begunAt, endedAt, outcome: how, from, to }) => [
    percent(weight),
    begunAt,
    between(begunAt, endedAt),
    how,
    ...sideCells(from),
    ...sideCells(to),
  ]);
}

function sideCells({ requests, connections, errors, p50, p99 }: SideFigures): string[] {
  return [count(requests), count(connections), errorShare(errors, requests + connections), withUnit(p50, 'ms'), withUnit(p99, 'ms')];
}

const gateHeader = ['step', 'gate', 'type', 'verdict', 'value', 'limit', 'old side', 'samples', 'confidence', 'why'];

function gateRows({ steps }: MigrationReport): Rows {
  return steps.flatMap(({ weight, gates }) => gates.map((gate) => [percent(weight), ...gateCells(gate)]));
}

function gateCells({ name, type, verdict, value, limit, unit, compared, samples, needed, confidence, reason }: GateStatus): string[] {
  const enough = samples >= needed ? count(samples) : `${count(samples)} of ${count(needed)}`;
  const sure = confidence === null ? '-' : percent(100 * confidence);
  return [name, type, verdict, withUnit(value, unit), limit, withUnit(compared, unit), enough, sure, reason];
}

const callerHeader = ['caller', 'cluster', 'to the old side', 'to the new side', 'share of the new side'];

function callerRows({ callers }: MigrationReport): Rows {
  return [...callers]
    .sort((a, b) => b.from + b.to - (a.from + a.to))
    .map(({ source, cluster, from, to }) => [source, cluster, count(from), count(to), errorShare(to, from + to)]);
}

/** Whether its machines may be switched off, one by one. */
function oldSide({ status: { drain, phase } }: MigrationReport): string[] {
  if (drain.length === 0) return phase === 'done' ? ['## Old side\n\nIt had no endpoint left to look at.'] : [];
  const callers = drainCallerRows(drain);
  const notSafe = drain.filter((each) => each.verdict !== 'safe').length;
  const verdict =
    notSafe === 0
      ? 'Every endpoint is safe to switch off: it had no connection from outside the mesh for the whole bake time.'
      : `${notSafe} of ${drain.length} endpoints must not be switched off on what is known: only \`safe\` says so.`;
  return [
    `## Old side\n\n${verdict}`,
    table(['endpoint', 'instance', 'verdict', 'since', 'streams of the mesh', 'why'], drainRows(drain)),
    section('Who still calls the old side', ['endpoint', 'caller', 'name', 'connections'], callers, 'Nobody was seen.'),
  ];
}

function section(title: string, header: readonly string[], rows: Rows, otherwise: string): string {
  return `## ${title}\n\n${rows.length === 0 ? otherwise : table(header, rows)}`;
}

/** To be read as it is, too: every column as wide as its widest cell. */
function table(header: readonly string[], rows: Rows): string {
  const all = [header, ...rows].map((cells) => cells.map(escaped));
  const widths = header.map((_, i) => Math.max(3, ...all.map((cells) => [...(cells[i] ?? '')].length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const [first = [], ...rest] = all;
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...rest.map(line)].join('\n');
}

/** Names, reasons and messages are others' words: none of them is markup, or ends a cell. */
function escaped(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[\\`*_[\]|#~!]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}
