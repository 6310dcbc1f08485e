import { cpus, release, totalmem, type } from 'node:os';
import type { Figure } from './measure.ts';

/** One line of the report; the JSON holds exactly these fields. */
export interface CaseReport {
  readonly name: string;
  readonly unit: string;
  /** Median of the rounds, as `theirs`. */
  readonly ours: number;
  /** What it is measured against, in the same run; null: the figure stands alone. */
  readonly peer: string | null;
  readonly theirs: number | null;
  /** Above 1 ours is better, whichever way the unit counts. */
  readonly ratio: number | null;
  /** (max - min) / median of our rounds. */
  readonly spread: number;
  readonly goal: string | null;
  readonly met: boolean | null;
}

export interface BenchReport {
  readonly machine: string;
  readonly cases: readonly CaseReport[];
}

export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  readonly ours: Figure;
  readonly peer?: { readonly name: string; readonly figure: Figure } | undefined;
  /** Of our median, and of the ratio; that is NaN where there is no peer. */
  readonly goal?: { readonly text: string; readonly met: (ours: number, ratio: number) => boolean };
}

export function caseReport(measured: Measured): CaseReport {
  const { name, unit, better, ours, peer, goal } = measured;
  const theirs = peer?.figure.median ?? null;
  const ratio = theirs === null ? null : better === 'more' ? ours.median / theirs : theirs / ours.median;
  return {
    name,
    unit,
    ours: ours.median,
    peer: peer?.name ?? null,
    theirs,
    ratio,
    spread: ours.spread,
    goal: goal?.text ?? null,
    met: goal === undefined ? null : goal.met(ours.median, ratio ?? Number.NaN),
  };
}

/** Cores, memory and versions, in a line: figures mean nothing without it. */
export function machineLine(): string {
  const all = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${all.length} cores (${all[0]?.model.trim() ?? 'unknown'}), ${memory} GiB, ${type()} ${release()}, Node ${process.versions.node}`;
}

export function formatTable(report: BenchReport): string {
  const head = ['case', 'ours', 'peer', 'theirs', 'ratio', 'spread', 'goal'];
  const rows = report.cases.map((each) => [
    each.name,
    `${formatNumber(each.ours)} ${each.unit}`,
    each.peer ?? '-',
    each.theirs === null ? '-' : formatNumber(each.theirs),
    each.ratio === null ? '-' : each.ratio.toFixed(2),
    `${Math.round(each.spread * 100)} %`,
    each.goal === null ? '-' : `${each.goal}: ${each.met === true ? 'met' : 'NOT MET'}`,
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [report.machine, '', line(head), widths.map((w) => '-'.repeat(w)).join('  '), ...rows.map(line)].join('\n');
}

export function formatJson(report: BenchReport): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

function formatNumber(value: number): string {
  if (value >= 100) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
