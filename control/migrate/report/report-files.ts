import type { MigrationReport } from '../../../core/admin/index.ts';
import { reportMarkdown } from './markdown.ts';
import { reportPlot } from './report-plot.ts';

/** Pure: the report to read, to compute with, and to look at. The first shows the last, beside it. */
export function reportFiles(report: MigrationReport): readonly { readonly name: string; readonly text: string }[] {
  const { name } = report.status;
  return [
    { name: `${name}.md`, text: reportMarkdown(report, `${name}.svg`) },
    { name: `${name}.json`, text: `${JSON.stringify(report, null, 2)}\n` },
    { name: `${name}.svg`, text: reportPlot(report) },
  ];
}
