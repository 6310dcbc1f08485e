import type { Registry } from 'prom-client';
import { CountedElsewhere } from './counted-elsewhere.ts';

type Labels = Readonly<Record<string, string>>;

interface Series {
  readonly labels: Labels;
  connections: number;
  sent: number;
  received: number;
}

interface SeenConnection {
  /** Absent: one. */
  readonly count?: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/** Istio's four metrics of byte streams in one registry, counted here for the same reason as RequestSeries. */
export class StreamSeries {
  readonly #series = new Map<string, Series>();

  constructor(registry: Registry, labelNames: readonly string[]) {
    const counter = (name: string, help: string, of: (series: Series) => number) =>
      new CountedElsewhere({ name, help, labelNames: [...labelNames], registers: [registry] }, () =>
        [...this.#series.values()].map((each) => ({ labels: each.labels, value: of(each) })),
      );
    counter('istio_tcp_connections_opened_total', 'TCP connections opened', (each) => each.connections);
    counter('istio_tcp_connections_closed_total', 'TCP connections closed', (each) => each.connections);
    counter('istio_tcp_sent_bytes_total', 'Bytes sent in answer', (each) => each.sent);
    counter('istio_tcp_received_bytes_total', 'Bytes received', (each) => each.received);
  }

  /** `key`: another one for each set of labels, which are asked for once. */
  record(key: string, { count = 1, bytesReceived, bytesSent }: SeenConnection, labels: () => Labels): void {
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels: labels(), connections: 0, sent: 0, received: 0 };
      this.#series.set(key, series);
    }
    series.connections += count;
    series.sent += bytesSent;
    series.received += bytesReceived;
  }
}
