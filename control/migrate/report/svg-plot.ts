/** Several quantities over the same time, a panel each under the other, with moments marked across all of them. */
export interface Plot {
  readonly title: string;
  /** ms since the beginning. */
  readonly endMs: number;
  readonly panels: readonly Panel[];
  readonly moments: readonly Moment[];
}

export interface Moment {
  readonly atMs: number;
  readonly label: string;
  readonly bad: boolean;
}

export interface Panel {
  readonly label: string;
  /** Its top is at least this. */
  readonly least: number;
  readonly series: readonly Series[];
}

export interface Series {
  readonly label: string;
  readonly colour: string;
  readonly thin: boolean;
  /** A value holds until the next. */
  readonly stepped: boolean;
  /** In the order of time; null is a gap. */
  readonly points: readonly { readonly atMs: number; readonly value: number | null }[];
}

/** Middle tones, and no ground: they stand out from a light page and from a dark one. */
const ink = '#7d8590';
const warning = '#d1242f';

const width = 960;
const left = 70;
const right = 20;
const top = 62;
const panelHeight = 150;
const gap = 48;
const inner = width - left - right;

/** An SVG document. Pure; any text may be in it. */
export function svgPlot(plot: Plot): string {
  const end = Math.max(1, plot.endMs);
  const x = (atMs: number): number => left + (Math.min(end, Math.max(0, atMs)) / end) * inner;
  const bottom = top + plot.panels.length * (panelHeight + gap) - gap;
  const height = bottom + 64;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${ink}" role="img">`,
    `<title>${escaped(plot.title)}</title>`,
    text(left, 20, plot.title, 'font-size="14" font-weight="bold"'),
    ...plot.panels.flatMap((panel, i) => panelLines(panel, top + i * (panelHeight + gap), x)),
    ...timeTicks(end).map(({ atMs, label }) => text(x(atMs), bottom + 34, label, 'text-anchor="middle"')),
    text(left + inner / 2, bottom + 54, 'time since the beginning', 'text-anchor="middle"'),
    ...momentLines(plot.moments, x, bottom),
    '</svg>\n',
  ].join('\n');
}

function panelLines({ label, least, series }: Panel, y0: number, x: (atMs: number) => number): readonly string[] {
  const values = series.flatMap((each) => each.points.flatMap(({ value }) => (value === null ? [] : [value])));
  const ticks = niceTicks(values.reduce((most, value) => Math.max(most, value), least));
  const max = ticks.at(-1) ?? 1;
  const y = (value: number): number => y0 + panelHeight * (1 - Math.min(1, Math.max(0, value / max)));
  return [
    ...ticks.flatMap((tick) => [
      `<line x1="${left}" y1="${round(y(tick))}" x2="${width - right}" y2="${round(y(tick))}" stroke="${ink}" stroke-opacity="0.3"/>`,
      text(left - 8, y(tick) + 4, tickText(tick), 'text-anchor="end"'),
    ]),
    text(left, y0 + panelHeight + 17, label, 'font-weight="bold"'),
    ...series.map(
      (each) =>
        `<path d="${pathOf(each, x, y)}" fill="none" stroke="${each.colour}" stroke-width="${each.thin ? 1 : 2}"${each.stepped ? ' stroke-dasharray="6 3"' : ''}/>`,
    ),
    ...legend(series, y0 + panelHeight + 17),
  ];
}

/** From the right, each as wide as its words are about. */
function legend(series: readonly Series[], y: number): readonly string[] {
  let end = width - right;
  return [...series].reverse().flatMap(({ label, colour, thin }) => {
    const line = text(end, y, label, `text-anchor="end" fill="${colour}"${thin ? '' : ' font-weight="bold"'}`);
    end -= 7.2 * label.length + 18;
    return [line];
  });
}

/** A lone value between gaps is a dot. */
function pathOf({ points, stepped }: Series, x: (atMs: number) => number, y: (value: number) => number): string {
  let path = '';
  let before: number | null = null;
  for (const [i, { atMs, value }] of points.entries()) {
    if (value === null) {
      before = null;
      continue;
    }
    const at = `${round(x(atMs))} ${round(y(value))}`;
    const alone = before === null && (points[i + 1]?.value ?? null) === null;
    if (before === null) path += alone ? `M${at}h0.1` : `M${at}`;
    else path += stepped && before !== value ? `H${round(x(atMs))}V${round(y(value))}` : `L${at}`;
    before = value;
  }
  return path === '' ? 'M0 0' : path;
}

/** A label that would stand in another gives way; its line stays. */
function momentLines(moments: readonly Moment[], x: (atMs: number) => number, bottom: number): readonly string[] {
  let free = Number.NEGATIVE_INFINITY;
  return [...moments]
    .sort((a, b) => a.atMs - b.atMs)
    .flatMap(({ atMs, label, bad }) => {
      const at = x(atMs);
      const colour = bad ? warning : ink;
      const line = `<line x1="${round(at)}" y1="${top - 6}" x2="${round(at)}" y2="${bottom}" stroke="${colour}" stroke-opacity="0.8" stroke-dasharray="2 3"/>`;
      const wide = 7.2 * label.length + 10;
      const start = Math.min(at - 2, width - right - wide);
      if (start < free) return [line];
      free = start + wide;
      return [line, text(start, top - 12, label, `fill="${colour}"${bad ? ' font-weight="bold"' : ''}`)];
    });
}

/** 0 to at least `max`, four to six of them, at 1, 2 or 5 times a power of ten. */
export function niceTicks(max: number): readonly number[] {
  const rough = (max > 0 && Number.isFinite(max) ? max : 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((each) => each * power >= rough * 0.999) ?? 10) * power;
  const last = Math.ceil((max > 0 && Number.isFinite(max) ? max : 1) / step - 1e-9);
  return Array.from({ length: last + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

function tickText(value: number): string {
  return value >= 10_000 ? `${Number((value / 1000).toPrecision(4))}k` : String(value);
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const spans = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 604_800];

function timeTicks(endMs: number): readonly { readonly atMs: number; readonly label: string }[] {
  const every = second * (spans.find((each) => endMs / (each * second) <= 10) ?? Math.ceil(endMs / second / 10));
  return Array.from({ length: Math.floor(endMs / every) + 1 }, (_, i) => ({ atMs: i * every, label: clock(i * every) }));
}

/** `0:45`, `12:30`, `1:05:00`. */
function clock(ms: number): string {
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0');
  const long = `${two((ms % hour) / minute)}:${two((ms % minute) / second)}`;
  return ms >= hour ? `${Math.floor(ms / hour)}:${long}` : long.replace(/^0/, '');
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped(content)}</text>`;
}

/** XML 1.0, section 2.2: what may not be in a document at all is left out. */
function escaped(content: string): string {
  return content
    .replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
