/** Several quantities over the same time, one panel each under the other, with moments marked across all of them. */
export interface Plot {
  readonly title: string;
  /** Seconds. */
  readonly from: number;
  readonly to: number;
  readonly panels: readonly Panel[];
  readonly moments: readonly { readonly at: number; readonly label: string }[];
}

export interface Panel {
  readonly label: string;
  /** At the top of the panel; its bottom is 0, or 1 where it is logarithmic. */
  readonly max: number;
  readonly logarithmic?: boolean;
  readonly ticks: readonly number[];
  readonly series: readonly Series[];
}

export interface Series {
  readonly label: string;
  readonly colour: string;
  /** In the order of time; a value that is no number is a gap. */
  readonly points: readonly { readonly at: number; readonly value: number }[];
}

const width = 920;
const left = 64;
const right = 16;
const top = 48;
const panelHeight = 150;
const gap = 40;

/** An SVG document. Pure. */
export function renderPlot(plot: Plot): string {
  const x = (at: number): number => left + ((at - plot.from) / (plot.to - plot.from)) * (width - left - right);
  const bottom = top + plot.panels.length * (panelHeight + gap) - gap;
  const height = bottom + 44;
  const every = 5;
  const first = Math.ceil(plot.from / every) * every;
  const seconds = Array.from({ length: Math.floor((plot.to - first) / every) + 1 }, (_, i) => first + i * every);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<title>${escaped(plot.title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(left, 20, plot.title, 'font-size="15" font-weight="bold"'),
    ...plot.panels.flatMap((panel, i) => renderPanel(panel, top + i * (panelHeight + gap), x)),
    ...seconds.map((at) => text(x(at), bottom + 16, String(at), 'text-anchor="middle"')),
    text((left + width - right) / 2, bottom + 34, 'seconds after the loss', 'text-anchor="middle"'),
    ...plot.moments.flatMap(({ at, label }) => [
      `<line x1="${round(x(at))}" y1="${top - 4}" x2="${round(x(at))}" y2="${bottom}" stroke="#333" stroke-dasharray="4 3"/>`,
      text(x(at) + 4, top - 6, label),
    ]),
    '</svg>\n',
  ].join('\n');
}

function renderPanel({ label, max, logarithmic = false, ticks, series }: Panel, y0: number, x: (at: number) => number): readonly string[] {
  const part = (value: number): number => (logarithmic ? Math.log10(Math.max(1, value)) / Math.log10(max) : value / max);
  const y = (value: number): number => y0 + panelHeight * (1 - Math.min(1, Math.max(0, part(value))));
  return [
    ...ticks.flatMap((tick) => [
      `<line x1="${left}" y1="${round(y(tick))}" x2="${width - right}" y2="${round(y(tick))}" stroke="#ddd"/>`,
      text(left - 6, y(tick) + 4, String(tick), 'text-anchor="end"'),
    ]),
    text(left, y0 + panelHeight + 16, label, 'font-weight="bold"'),
    ...series.flatMap((each, i) => [
      `<path d="${pathOf(each.points, x, y)}" fill="none" stroke="${each.colour}" stroke-width="1.5"/>`,
      text(width - right - 120 * (series.length - i - 1), y0 + panelHeight + 16, each.label, `text-anchor="end" fill="${each.colour}"`),
    ]),
  ];
}

function pathOf(points: Series['points'], x: (at: number) => number, y: (value: number) => number): string {
  let pen = 'M';
  let path = '';
  for (const { at, value } of points) {
    if (Number.isFinite(value)) path += `${pen}${round(x(at))} ${round(y(value))}`;
    pen = Number.isFinite(value) ? 'L' : 'M';
  }
  return path;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
