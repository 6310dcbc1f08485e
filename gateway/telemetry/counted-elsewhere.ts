import { Counter, Histogram, type MetricType } from 'prom-client';

type CounterValues = Awaited<ReturnType<Counter['get']>>;
type HistogramValues = Awaited<ReturnType<Histogram['get']>>;

/** A counter whose values somebody else keeps, asked for when it is read. */
export class CountedElsewhere extends Counter {
  readonly #values: () => CounterValues['values'];

  constructor(config: ConstructorParameters<typeof Counter>[0], values: () => CounterValues['values']) {
    super(config);
    this.#values = values;
  }

  override async get(): Promise<CounterValues> {
    return { ...(await super.get()), values: this.#values() };
  }
}

/** The same of a histogram. */
export class MeasuredElsewhere extends Histogram {
  readonly #read: () => HistogramValues;

  constructor(config: ConstructorParameters<typeof Histogram>[0], values: () => HistogramValues['values']) {
    super(config);
    const { name, help } = config;
    // Its types have numbers where it has words.
    const type = 'histogram' as unknown as MetricType.Histogram;
    this.#read = () => ({ name, help, type, aggregator: 'sum', collect: () => undefined, values: values() });
  }

  override get(): Promise<HistogramValues> {
    return Promise.resolve(this.#read());
  }

  /** What the text page asks in place of `get`, where a metric has it. */
  getForPromString(): Promise<HistogramValues> {
    return this.get();
  }
}

/** Those of one set of labels. `counts`: in each bucket alone, the last of what is above all bounds. */
export function bucketValues(
  name: string,
  labels: Readonly<Record<string, string>>,
  bounds: readonly number[],
  counts: readonly number[],
  sum: number,
): HistogramValues['values'] {
  let below = 0;
  const buckets = counts.map((count, at) => {
    below += count;
    return { metricName: `${name}_bucket`, labels: { le: bounds[at] ?? '+Inf', ...labels }, value: below };
  });
  return [...buckets, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: below }];
}
