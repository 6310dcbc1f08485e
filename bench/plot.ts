/** One group of bars with a scale of its own. */
export interface ChartPanel {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly { readonly label: string; readonly value: number }[];
}

const columns = 3;
const panelWidth = 450;
const barHeight = 22;
const headHeight = 46;
const footHeight = 18;
/** Of one letter of a label, about. */
const letterWidth = 7;
const valueWidth = 80;
/** One a label, whatever panel it is in. Readable on white, also for those who see red and green alike. */
const colours: Readonly<Record<string, string>> = {
  native: '#0b6e99',
  node: '#6fb1d0',
  HAProxy: '#b5651d',
  nginx: '#d9a441',
  Envoy: '#8e5572',
};
const other = '#888888';

/** An SVG with a panel of bars for each, `columns` side by side. `caption`: one line above all. */
export function plotOf(panels: readonly ChartPanel[], caption: string): string {
  const drawn: string[] = [];
  let y = 44;
  for (let at = 0; at < panels.length; at += columns) {
    const row = panels.slice(at, at + columns);
    for (const [column, panel] of row.entries()) drawn.push(drawPanel(panel, 10 + column * panelWidth, y));
    y += headHeight + Math.max(...row.map(({ bars }) => bars.length)) * barHeight + footHeight;
  }
  const width = columns * panelWidth + 20;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="sans-serif"><title>What the proxies cost</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="14" y="26" font-size="13" fill="#333333">${escaped(caption)}</text>
${drawn.join('\n')}
</svg>
`;
}

function drawPanel({ title, unit, bars }: ChartPanel, x: number, y: number): string {
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const labelWidth = 14 + letterWidth * Math.max(8, ...bars.map(({ label }) => label.length));
  const room = panelWidth - labelWidth - valueWidth - 20;
  const lines = bars.map(({ label, value }, i) => {
    const top = y + headHeight + i * barHeight;
    const length = Math.max(1, (value / most) * room);
    return `<text x="${x + labelWidth - 6}" y="${top + 14}" font-size="12" text-anchor="end" fill="#222222">${escaped(label)}</text>
<rect x="${x + labelWidth}" y="${top + 2}" width="${length.toFixed(1)}" height="${barHeight - 6}" ${paint(label)}/>
<text x="${(x + labelWidth + length + 6).toFixed(1)}" y="${top + 14}" font-size="12" fill="#222222">${shortNumber(value)}</text>`;
  });
  return `<text x="${x + 4}" y="${y + 18}" font-size="13" font-weight="bold" fill="#111111">${escaped(title)}</text>
<text x="${x + 4}" y="${y + 35}" font-size="12" fill="#555555">${escaped(unit)}, less is better</text>
${lines.join('\n')}`;
}

/** The same contender in another set-up is paler. */
function paint(label: string): string {
  const [first = ''] = label.split(' ');
  return `fill="${colours[first] ?? other}"${first === label ? '' : ' fill-opacity="0.45"'}`;
}

function shortNumber(value: number): string {
  if (value >= 100) return String(Math.round(value));
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
