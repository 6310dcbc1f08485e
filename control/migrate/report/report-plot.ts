import type { MigrationReport, MigrationSample, SideFigures } from '../../../core/admin/index.ts';
import { percent } from '../../../core/figures.ts';
import { type Moment, type Series, svgPlot } from './svg-plot.ts';

const colours = { old: '#c2571a', new: '#2f81d6', asked: '#7d8590' } as const;

/** Pure: weights asked for and measured, failures and latency of both sides over time, with the steps marked. */
export function reportPlot(report: MigrationReport): string {
  const { status, samples } = report;
  const started = startOf(report);
  const at = (time: string): number => Date.parse(time) - started;
  const series = (
    label: string,
    colour: string,
    value: (sample: MigrationSample) => number | null,
    more: Partial<Series> = {},
  ): Series => ({
    label,
    colour,
    thin: false,
    stepped: false,
    ...more,
    points: samples.map((sample) => ({ atMs: at(sample.at), value: value(sample) })),
  });
  const moments = momentsOf(report, at);
  const ends = [...samples.map((sample) => at(sample.at)), ...moments.map((moment) => moment.atMs)];
  return svgPlot({
    title: `${status.namespace}/${status.name}: ${status.service} from ${status.from.side} to ${status.to.side}`,
    endMs: ends.reduce((last, each) => Math.max(last, each), 1000),
    moments,
    panels: [
      {
        label: 'to the new side, percent',
        least: 100,
        series: [
          series('asked', colours.asked, (sample) => sample.weight, { stepped: true }),
          series('measured', colours.new, (sample) => sample.measured),
        ],
      },
      {
        label: 'failed, percent',
        least: 1,
        series: [
          series('old side', colours.old, (sample) => failed(sample.from)),
          series('new side', colours.new, (sample) => failed(sample.to)),
        ],
      },
      {
        label: 'latency, ms',
        least: 1,
        series: [
          series('old p50', colours.old, (sample) => sample.from.p50, { thin: true }),
          series('old p99', colours.old, (sample) => sample.from.p99),
          series('new p50', colours.new, (sample) => sample.to.p50, { thin: true }),
          series('new p99', colours.new, (sample) => sample.to.p99),
        ],
      },
    ],
  });
}

function startOf({ status, samples }: MigrationReport): number {
  const times = [status.startedAt, samples[0]?.at].flatMap((time) => (time === null || time === undefined ? [] : [Date.parse(time)]));
  return times.length === 0 ? 0 : Math.min(...times);
}

function failed({ requests, connections, errors }: SideFigures): number | null {
  const all = requests + connections;
  return all === 0 ? null : (100 * errors) / all;
}

function momentsOf({ status, steps }: MigrationReport, at: (time: string) => number): readonly Moment[] {
  const begun = steps.map((step): Moment => ({ atMs: at(step.begunAt), label: percent(step.weight), bad: false }));
  const { rollback, phase, endedAt } = status;
  const back = rollback === null ? [] : [{ atMs: at(rollback.at), label: 'rolled back', bad: true }];
  const done = phase === 'done' && endedAt !== null ? [{ atMs: at(endedAt), label: 'done', bad: false }] : [];
  return [...begun, ...back, ...done];
}
