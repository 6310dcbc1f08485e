import { Gauge, type Registry } from 'prom-client';

/** Of the trust domains that are federated. */
export interface FederationMetrics {
  /** Since somebody last said that the bundle at hand is so, in s. */
  readonly age: Gauge<'trust_domain'>;
  readonly authorities: Gauge<'trust_domain'>;
  /** Attempts in a row that brought none. */
  readonly failures: Gauge<'trust_domain'>;
}

export function createFederationMetrics(registry: Registry): FederationMetrics {
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: ['trust_domain'] as const, registers: [registry] });
  return {
    age: gauge('isthmus_federation_bundle_age_seconds', 'Since the bundle of another trust domain was last confirmed.'),
    authorities: gauge('isthmus_federation_authorities', 'X.509 authorities in the bundle of another trust domain.'),
    failures: gauge('isthmus_federation_failures', 'Attempts in a row to fetch the bundle of another trust domain that failed.'),
  };
}
