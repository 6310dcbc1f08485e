import type { Registry } from 'prom-client';
import { bucketValues, CountedElsewhere, MeasuredElsewhere } from './counted-elsewhere.ts';

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
    return bucketValues(name, labels, this.#bounds, this.#counts, this.#sum);
  }
}
