import type { GateStatus, MigrationList, MigrationStatus } from '../../core/admin/index.ts';
import type { MigrationMetrics } from '../telemetry/index.ts';

const verdicts: readonly GateStatus['verdict'][] = ['pass', 'wait', 'no-data', 'breach'];
const places = ['unknown', 'in-use', 'quiet', 'safe'] as const;

interface Labels {
  readonly namespace: string;
  readonly migration: string;
}

/** Metrics of all migrations: gauges are brought to what is true before each scrape, counters go with their migration. */
export class MigrationGauges {
  readonly #metrics: MigrationMetrics;
  readonly #counted = new Map<string, Labels>();

  constructor(metrics: MigrationMetrics) {
    this.#metrics = metrics;
  }

  /** Both counters begin at 0 where a migration is first seen, so that their first rise shows. */
  record({ migrations, freeze }: MigrationList): void {
    const m = this.#metrics;
    for (const gauge of [m.phase, m.weight, m.measuredWeight, m.halted, m.gateValue, m.gateSamples, m.gateVerdict, m.oldEndpoints])
      gauge.reset();
    m.frozen.set(freeze === null ? 0 : 1);
    for (const each of migrations) this.#one(each);
    const there = new Set(migrations.map(keyOf));
    for (const [key, { namespace, migration }] of this.#counted) {
      if (there.has(key)) continue;
      for (const counter of [m.rollbacks, m.webhookFailures]) counter.remove({ namespace, migration });
      this.#counted.delete(key);
    }
  }

  rolledBack(namespace: string, name: string): void {
    this.#metrics.rollbacks.inc(this.#labels({ namespace, name }));
  }

  webhookFailed(namespace: string, name: string): void {
    this.#metrics.webhookFailures.inc(this.#labels({ namespace, name }));
  }

  #one(status: MigrationStatus): void {
    const m = this.#metrics;
    const labels = this.#labels(status);
    m.phase.set({ ...labels, phase: status.phase }, 1);
    m.weight.set(labels, status.to.weight);
    if (status.to.measured !== null) m.measuredWeight.set(labels, status.to.measured);
    m.halted.set({ ...labels, cause: 'paused' }, status.paused === null ? 0 : 1);
    m.halted.set({ ...labels, cause: 'hold' }, status.hold === null ? 0 : 1);
    for (const { name: gate, value, unit, samples, verdict: said } of status.gates) {
      if (value !== null) m.gateValue.set({ ...labels, gate }, unit === 'ms' ? value / 1000 : value);
      m.gateSamples.set({ ...labels, gate }, samples);
      for (const verdict of verdicts) m.gateVerdict.set({ ...labels, gate, verdict }, verdict === said ? 1 : 0);
    }
    if (status.drain.length === 0) return;
    for (const verdict of places)
      m.oldEndpoints.set({ ...labels, verdict }, status.drain.filter((each) => each.verdict === verdict).length);
  }

  #labels(of: { readonly namespace: string; readonly name: string }): { namespace: string; migration: string } {
    const labels = { namespace: of.namespace, migration: of.name };
    if (!this.#counted.has(keyOf(of))) {
      this.#counted.set(keyOf(of), labels);
      for (const counter of [this.#metrics.rollbacks, this.#metrics.webhookFailures]) counter.inc(labels, 0);
    }
    return labels;
  }
}

function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
