import { Gauge, type Registry } from 'prom-client';

type PortLabels = 'namespace' | 'service' | 'port';

/** Of ports at which callers without mesh may come. */
export interface MtlsMetrics {
  /** 1 for the mode that holds. */
  readonly mode: Gauge<PortLabels | 'mode'>;
  /** Connections since each agent began to count: they start anew with it. Labels: security (none, mutual_tls), outcome (let-in, refused). */
  readonly calls: Gauge<PortLabels | 'security' | 'outcome'>;
  /** Unix time in s at which somebody last came in the clear. */
  readonly lastPlaintext: Gauge<PortLabels>;
}

export function createMtlsMetrics(registry: Registry): MtlsMetrics {
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge<L>({ name, help, labelNames, registers: [registry] });
  const port = ['namespace', 'service', 'port'] as const;
  return {
    mode: gauge('isthmus_mtls_mode', '1 for what a port takes: STRICT, PERMISSIVE or DISABLE.', [...port, 'mode']),
    calls: gauge('isthmus_exposed_connections', 'Connections to ports at which callers without mesh may come, as agents count them.', [
      ...port,
      'security',
      'outcome',
    ]),
    lastPlaintext: gauge('isthmus_plaintext_last_seen_timestamp_seconds', 'When somebody last came in the clear.', port),
  };
}
