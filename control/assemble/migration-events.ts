import type { MigrationEvent, MigrationList } from '../../core/admin/index.ts';
import type { Log } from '../../core/log.ts';
import type { MigrationState } from '../migrate/index.ts';
import type { MigrationMetrics } from '../telemetry/index.ts';
import { MigrationGauges } from './migration-metrics.ts';
import { MigrationWebhooks, type MigrationWebhooksOptions } from './migration-webhooks.ts';

export interface MigrationEventsOptions extends Omit<MigrationWebhooksOptions, 'onFailure'> {
  readonly metrics: MigrationMetrics;
}

/** Whom it concerns outside the control plane: webhooks are told of each event, and metrics show where migrations stand. */
export class MigrationEvents {
  readonly #gauges: MigrationGauges;
  readonly #webhooks: MigrationWebhooks;
  readonly #log: Log;

  constructor({ metrics, ...options }: MigrationEventsOptions) {
    const gauges = new MigrationGauges(metrics);
    this.#gauges = gauges;
    this.#log = options.log;
    this.#webhooks = new MigrationWebhooks({ ...options, onFailure: (namespace, name) => gauges.webhookFailed(namespace, name) });
  }

  /** By the replica that wrote it, once it is durable. Returns at once, and never throws. */
  readonly onEvent = (state: MigrationState, event: MigrationEvent): void => {
    if (event.type === 'rollback-begun') this.#gauges.rolledBack(state.namespace, state.name);
    this.#webhooks.tell(state, event);
  };

  /** Before each scrape. Never rejects: where migrations cannot be listed now, what was known of them is shown. */
  async record(list: () => Promise<MigrationList>): Promise<void> {
    try {
      this.#gauges.record(await list());
    } catch (error) {
      this.#log.warn({ error }, 'migrations could not be listed for their metrics, which are as they were');
    }
  }

  /** Events that wait are told within `graceMs`, or given up. */
  close(graceMs: number): Promise<void> {
    return this.#webhooks.close(graceMs);
  }
}
