import type { Clock } from '../../../core/clock.ts';
import type { MigrationGate } from '../../../core/config/index.ts';
import type { ExternalGate } from '../contract.ts';
import { hookGate } from './hook.ts';
import { prometheusGate } from './prometheus.ts';

export { describeStatus, exchange, nameOf, reasonOf } from './exchange.ts';

/** Who is asked for a gate's value; undefined where our own telemetry tells it. Files are read and connections opened only when asked, and none stays. */
export function externalGate(gate: MigrationGate, clock: Clock): ExternalGate | undefined {
  if (gate.type === 'prometheus') return prometheusGate(gate, clock);
  return gate.type === 'http' ? hookGate(gate, clock) : undefined;
}
