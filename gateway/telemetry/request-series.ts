import { Counter, Histogram, type MetricType, type Registry } from 'prom-client';

const times = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];
const sizes = [128, 1_024, 8_192, 65_536, 524_288, 4_194_304];

type Labels = Readonly<Record<string, string>>;

/** What was seen under one set of labels. */
interface Series {
  readonly labels: Labels;
  count: number;
  readonly duration: Distribution;
  readonly requestBytes: Distribution;
  readonly responseBytes: Distribution;
}

export interface SeenRequest {
  readonly durationMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/**
 * Istio's four metrics of requests in one registry. They are counted here and given to prom-client when somebody reads them:
 * told of each request, it would check, sort and hash some twenty labels four times.
 */
export class RequestSeries {
  readonly #series = new Map<string, Series>();

  constructor(registry: Registry, labelNames: readonly string[]) {
    const common = (name: string, help: string) => ({ name, help, labelNames: [...labelNames], registers: [registry] });
    const all = () => [...this.#series.values()];
    new CountedElsewhere(common('istio_requests_total', 'HTTP requests handled'), () =>
      all().map(({ labels, count }) => ({ labels, value: count })),
    );
    const histogram = (name: string, help: string, buckets: number[], of: (series: Series) => Distribution) =>
      new MeasuredElsewhere({ ...common(name, help), buckets }, () => all().flatMap((each) => of(each).values(name, each.labels)));
    const duration = 'From the first header to the last byte of the answer';
    histogram('istio_request_duration_milliseconds', duration, times, (each) => each.duration);
    histogram('istio_request_bytes', 'Size of request bodies', sizes, (each) => each.requestBytes);
    histogram('istio_response_bytes', 'Size of response bodies', sizes, (each) => each.responseBytes);
  }

  /** `key`: another one for each set of labels, which are asked for once. */
  record(key: string, { durationMs, bytesReceived, bytesSent }: SeenRequest, labels: () => Labels): void {
    let series = this.#series.get(key);
    if (series === undefined) {
      series = {
        labels: labels(),
        count: 0,
        duration: new Distribution(times),
        requestBytes: new Distribution(sizes),
        responseBytes: new Distribution(sizes),
      };
      this.#series.set(key, series);
    }
    series.count += 1;
    series.duration.add(durationMs);
    series.requestBytes.add(bytesReceived);
    series.responseBytes.add(bytesSent);
  }
}

class Distribution {
  readonly #bounds: readonly number[];
  /** One more than bounds: what is above all of them. */
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  add(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] ?? 0)) at += 1;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  values(name: string, labels: Labels) {
    let below = 0;
    const buckets = this.#counts.map((count, at) => {
      below += count;
      return { metricName: `${name}_bucket`, labels: { le: this.#bounds[at] ?? '+Inf', ...labels }, value: below };
    });
    return [...buckets, { metricName: `${name}_sum`, labels, value: this.#sum }, { metricName: `${name}_count`, labels, value: below }];
  }
}

type CounterValues = Awaited<ReturnType<Counter['get']>>;
type HistogramValues = Awaited<ReturnType<Histogram['get']>>;

class CountedElsewhere extends Counter {
  readonly #values: () => CounterValues['values'];

  constructor(config: ConstructorParameters<typeof Counter>[0], values: () => CounterValues['values']) {
    super(config);
    this.#values = values;
  }

  override async get(): Promise<CounterValues> {
    return { ...(await super.get()), values: this.#values() };
  }
}

class MeasuredElsewhere extends Histogram {
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
