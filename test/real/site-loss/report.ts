import { type Plot, renderPlot, type Series } from './plot.ts';
import { type Load, percentile, type Sample, sentIn, shareOf, slices } from './samples.ts';

/** Unix ms. */
export interface Moments {
  readonly began: number;
  readonly lost: number;
  readonly plugged: number;
  readonly ended: number;
}

const sites = ['east', 'south'] as const;
const colours = { east: '#c2571a', south: '#1a6fc2' } as const;

/** What to read: failures and times of each part, and the shares after the return. */
export function figures({ samples, lag }: Load, { began, lost, plugged, ended }: Moments): readonly string[] {
  const parts = [
    ['before', began, lost],
    ['first second of the loss', lost, lost + 1_000],
    ['rest of the loss', lost + 1_000, plugged],
    ['after the return', plugged, ended],
  ] as const;
  const lines = parts.flatMap(([name, from, to]) =>
    (['GET', 'POST'] as const).map((method) => `${name}, ${method}: ${summary(only(sentIn(samples, { from, to }), method))}`),
  );
  const shares = slices(only(samples, 'GET'), { from: plugged, to: ended }, 1_000).map((each) => shareOf(each, 'east').toFixed(2));
  return [
    ...lines,
    `share of the site by second of its return: ${shares.join(' ')}`,
    `event loop of the load generator: p99 ${lag.p99Ms} ms, at most ${lag.maxMs} ms late`,
  ];
}

function summary(samples: readonly Sample[]): string {
  const failed = samples.filter(({ ok }) => !ok);
  const errors = new Map<string, number>();
  for (const { error } of failed) errors.set(error, (errors.get(error) ?? 0) + 1);
  const ms = (part: number): string => percentile(samples, part).toFixed(1);
  const times = `p50 ${ms(0.5)}, p99 ${ms(0.99)}, slowest ${ms(1)} ms`;
  return [`${samples.length} sent, ${failed.length} failed, ${times}`, ...[...errors].map(([error, n]) => `${n} x ${error}`)].join('; ');
}

export function only(samples: readonly Sample[], method: Sample['method']): readonly Sample[] {
  return samples.filter((each) => each.method === method);
}

/** GETs by the moment at which they were to be sent, as SVG. */
export function drawLoss({ samples }: Load, { began, lost, plugged, ended }: Moments, title: string): string {
  const everyMs = 250;
  const parts = slices(only(samples, 'GET'), { from: began, to: ended }, everyMs);
  const series = (label: string, colour: string, value: (slice: readonly Sample[]) => number): Series => ({
    label,
    colour,
    points: parts.map((slice, i) => ({ at: (began + (i + 0.5) * everyMs - lost) / 1_000, value: value(slice) })),
  });
  const perSecond = (count: number): number => (count * 1_000) / everyMs;
  const answeredAt = (site: string) => (slice: readonly Sample[]) =>
    perSecond(slice.filter((each) => each.ok && each.site === site).length);
  const plot: Plot = {
    title,
    from: (began - lost) / 1_000,
    to: (ended - lost) / 1_000,
    panels: [
      {
        label: 'GETs per second, by who answered',
        max: 600,
        ticks: [0, 250, 500],
        series: [
          ...sites.map((site) => series(site, colours[site], answeredAt(site))),
          series('failed', '#b00020', (slice) => perSecond(slice.filter(({ ok }) => !ok).length)),
        ],
      },
      {
        label: 'from the intended moment to the answer, ms',
        max: 10_000,
        logarithmic: true,
        ticks: [1, 10, 100, 1_000, 10_000],
        series: [series('p99', '#333', (slice) => percentile(slice, 0.99)), series('p50', '#999', (slice) => percentile(slice, 0.5))],
      },
      {
        label: 'share of each site',
        max: 1,
        ticks: [0, 0.5, 1],
        series: sites.map((site) => series(site, colours[site], (slice) => shareOf(slice, site))),
      },
    ],
    moments: [
      { at: 0, label: 'the site vanishes' },
      { at: (plugged - lost) / 1_000, label: 'its links are back' },
    ],
  };
  return renderPlot(plot);
}
