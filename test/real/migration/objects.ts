export const vmSide = 'consul/dc1';
export const podSide = 'kubernetes/prod';

/** How often a migration is looked at. */
export const intervalMs = 2_000;

export interface MigrationWritten {
  /** Default orders; each of its own name in shop. */
  readonly name?: string;
  /** Default: the name. */
  readonly service?: string;
  readonly from?: string;
  readonly to?: string;
  /** YAML of a list; absent: an error rate of at most 1 %, and a median of at most twice that of the side that is left. */
  readonly gates?: string;
  /** YAML; default 5, 25, 50 and 100 %. */
  readonly steps?: string;
  /** YAML of more fields of the spec. */
  readonly more?: string;
}

/** A service moves in steps that take seconds, where a real one takes hours. */
export function migrationOf({
  name = 'orders',
  service = name,
  from = vmSide,
  to = podSide,
  gates = ownGates,
  steps = '[5, 25, 50, 100]',
  more = '',
}: MigrationWritten = {}): string {
  return `apiVersion: isthmus.dev/v1alpha1
kind: Migration
metadata: {name: ${name}, namespace: shop}
spec:
  service: ${service}
  from: {registry: ${from}}
  to: {registry: ${to}}
  steps: ${steps}
  bake: 6s
  interval: ${intervalMs}ms
  baseline: 5s
  drain: {timeout: 20s, bake: 5s}
${more}  gates:
${gates}`;
}

export const ownGates = `  - {name: errors, type: errorRate, max: 1%, minSamples: 20}
  - {name: median, type: latency, percentile: 50, maxRatio: 2, minSamples: 20}
`;
