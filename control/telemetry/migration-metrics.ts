import { Counter, Gauge, type Registry } from 'prom-client';

type Of = 'namespace' | 'migration';

/** What dashboards and alert rules know of migrations. Those that are gone have no series. */
export interface MigrationMetrics {
  /** 1 for the phase that it is in. */
  readonly phase: Gauge<Of | 'phase'>;
  /** Percent to the new side, as asked for. */
  readonly weight: Gauge<Of>;
  /** The same as measured; no series while nothing was sent. */
  readonly measuredWeight: Gauge<Of>;
  /** 1 where it does not go on by itself. Labels: cause (paused, hold). */
  readonly halted: Gauge<Of | 'cause'>;
  /** Shares in [0, 1], times in s; no series where it is not known. */
  readonly gateValue: Gauge<Of | 'gate'>;
  readonly gateSamples: Gauge<Of | 'gate'>;
  /** 1 for what the gate says (pass, wait, no-data, breach). */
  readonly gateVerdict: Gauge<Of | 'gate' | 'verdict'>;
  /** Places of the old side by what is known of them (unknown, in-use, quiet, safe). */
  readonly oldEndpoints: Gauge<Of | 'verdict'>;
  readonly rollbacks: Counter<Of>;
  /** Events that a webhook has not taken, after all tries, or that came faster than it takes them. */
  readonly webhookFailures: Counter<Of>;
  readonly frozen: Gauge;
}

export function createMigrationMetrics(registry: Registry): MigrationMetrics {
  const registers = [registry];
  const of = ['namespace', 'migration'] as const;
  const gauge = <L extends string>(name: string, help: string, ...labels: readonly L[]) =>
    new Gauge<Of | L>({ name, help, labelNames: [...of, ...labels], registers });
  const counter = (name: string, help: string) => new Counter<Of>({ name, help, labelNames: of, registers });
  return {
    phase: gauge('isthmus_migration_phase', '1 for the phase a migration is in.', 'phase'),
    weight: gauge('isthmus_migration_weight', 'Percent to the new side, as asked for.'),
    measuredWeight: gauge('isthmus_migration_measured_weight', 'Percent to the new side, as measured in this step.'),
    halted: gauge('isthmus_migration_halted', '1 where a migration does not go on by itself.', 'cause'),
    gateValue: gauge('isthmus_migration_gate_value', 'What a gate measures: shares in [0, 1], times in seconds.', 'gate'),
    gateSamples: gauge('isthmus_migration_gate_samples', 'Of how many a gate judges.', 'gate'),
    gateVerdict: gauge('isthmus_migration_gate_verdict', '1 for what a gate says.', 'gate', 'verdict'),
    oldEndpoints: gauge('isthmus_migration_old_endpoints', 'Places of the old side, by what is known of them.', 'verdict'),
    rollbacks: counter('isthmus_migration_rollbacks_total', 'Times that a migration began to go back.'),
    webhookFailures: counter('isthmus_migration_webhook_failures_total', 'Events that a webhook has not taken.'),
    frozen: new Gauge({ name: 'isthmus_migrations_frozen', help: '1 while all migrations are frozen.', registers }),
  };
}
