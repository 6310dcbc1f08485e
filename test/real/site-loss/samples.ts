/** What became of one request. */
export interface Sample {
  readonly method: 'GET' | 'POST';
  /** Unix ms at which it was to be sent; its time counts from here. */
  readonly at: number;
  readonly tookMs: number;
  readonly ok: boolean;
  /** Who answered; empty when it failed. */
  readonly site: string;
  readonly error: string;
}

/** What ended since the line before. */
export interface LoadLine {
  readonly answers: Record<string, number>;
  failed: number;
}

export interface Load {
  /** In the order in which they ended. */
  readonly samples: readonly Sample[];
  /** Of the load generator's event loop: what the machine, not the mesh, has added. */
  readonly lag: { readonly p99Ms: number; readonly maxMs: number };
}

export interface Span {
  /** Unix ms; `to` is not in it. */
  readonly from: number;
  readonly to: number;
}

/** Those that were to be sent within the span. */
export function sentIn(samples: readonly Sample[], { from, to }: Span): readonly Sample[] {
  return samples.filter(({ at }) => at >= from && at < to);
}

/** Of the answered. NaN: none was. */
export function shareOf(samples: readonly Sample[], site: string): number {
  const answered = samples.filter(({ ok }) => ok);
  return answered.filter((each) => each.site === site).length / answered.length;
}

/** Ms; 0 where there is nothing. A failed request counts with the time that it took to fail. */
export function percentile(samples: readonly Sample[], part: number): number {
  const sorted = samples.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}

/** Slices of the span, each `everyMs` long, in order. */
export function slices(samples: readonly Sample[], { from, to }: Span, everyMs: number): readonly (readonly Sample[])[] {
  const all: Sample[][] = Array.from({ length: Math.ceil((to - from) / everyMs) }, () => []);
  for (const each of sentIn(samples, { from, to })) all[Math.floor((each.at - from) / everyMs)]?.push(each);
  return all;
}
