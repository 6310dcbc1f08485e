import { createHash } from 'node:crypto';
import type { MigrationEvent } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { MigrationWebhook } from '../../core/config/index.ts';
import type { Log } from '../../core/log.ts';
import { describeStatus, exchange, nameOf, reasonOf } from '../migrate/external/index.ts';
import type { MigrationState } from '../migrate/index.ts';

export interface MigrationWebhooksOptions {
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** An event was given up, for one webhook. */
  readonly onFailure: (namespace: string, name: string) => void;
}

/** In ms. */
const timeoutMs = 5000;
/** Before each try after the first; half of it is chance. */
const backoffMs = [1000, 2000, 4000];
/** Of one webhook of one migration; the oldest go first, as the newest say where it stands. */
const longestQueue = 100;

interface Queued {
  readonly body: string;
  readonly type: string;
}

interface Queue {
  readonly webhook: MigrationWebhook;
  readonly namespace: string;
  readonly name: string;
  readonly events: Queued[];
}

/**
 * Tells webhooks what becomes of migrations. Each webhook of each migration has a queue of its own, in which order is kept: one that hangs holds
 * up nobody else, and nothing ever waits for any. An event may come twice, with the same `id`; what a webhook does not take in four tries is given up.
 */
export class MigrationWebhooks {
  readonly #options: MigrationWebhooksOptions;
  readonly #queues = new Map<string, Queue>();
  readonly #running = new Set<Promise<void>>();
  readonly #ending = new AbortController();

  constructor(options: MigrationWebhooksOptions) {
    this.#options = options;
  }

  /** Never throws, and returns at once. */
  tell(state: MigrationState, event: MigrationEvent): void {
    if (this.#ending.signal.aborted || state.spec.webhooks.length === 0) return;
    const queued: Queued = { body: JSON.stringify(envelope(state, event)), type: event.type };
    for (const webhook of state.spec.webhooks) this.#queue(state, webhook, queued);
  }

  /** Gives what waits `graceMs` to be told, then gives it up. Resolves when nothing runs any more. Idempotent. */
  async close(graceMs: number): Promise<void> {
    const waited = new AbortController();
    const late = this.#options.clock.sleep(graceMs, waited.signal).catch(() => undefined);
    await Promise.race([this.#allTold(), late]);
    waited.abort();
    this.#ending.abort();
    await this.#allTold();
    await late;
  }

  async #allTold(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #queue({ namespace, name }: MigrationState, webhook: MigrationWebhook, queued: Queued): void {
    const key = JSON.stringify([namespace, name, webhook]);
    const queue = this.#queues.get(key) ?? { webhook, namespace, name, events: [] };
    queue.events.push(queued);
    if (queue.events.length > longestQueue) {
      const [oldest] = queue.events.splice(0, 1);
      if (oldest !== undefined) this.#giveUp(queue, oldest, `it takes events more slowly than they come: ${longestQueue} wait`);
    }
    if (this.#queues.has(key)) return;
    this.#queues.set(key, queue);
    const running = this.#empty(key, queue).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #empty(key: string, queue: Queue): Promise<void> {
    for (let next = queue.events.shift(); next !== undefined; next = queue.events.shift()) {
      const fault = await this.#deliver(queue.webhook, next);
      if (fault !== undefined) this.#giveUp(queue, next, fault);
    }
    this.#queues.delete(key);
  }

  /** Resolves with why it was given up; undefined: it was taken. */
  async #deliver(webhook: MigrationWebhook, { body }: Queued): Promise<string | undefined> {
    const { clock, random } = this.#options;
    for (let tries = 0; ; tries++) {
      const { fault, again } = await this.#send(webhook, body);
      const pause = backoffMs[tries];
      if (fault === undefined || !again || pause === undefined || this.#ending.signal.aborted) return fault;
      await clock.sleep(pause / 2 + (pause / 2) * random(), this.#ending.signal).catch(() => undefined);
      if (this.#ending.signal.aborted) return fault;
    }
  }

  async #send({ url, tokenFile, caFile }: MigrationWebhook, body: string): Promise<{ readonly fault?: string; readonly again: boolean }> {
    const what = {
      product: 'the webhook',
      owner: 'webhook',
      url,
      contentType: 'application/cloudevents+json',
      body,
      tokenFile,
      caFile,
      timeoutMs,
    };
    try {
      const { status } = await exchange(what, this.#options.clock, this.#ending.signal);
      if (status >= 200 && status < 300) return { again: false };
      const fault = describeStatus(what, status) ?? `${nameOf(what)} answered ${status}`;
      return { fault, again: status >= 500 || status === 408 || status === 429 };
    } catch (error) {
      return { fault: reasonOf(error), again: true };
    }
  }

  #giveUp({ namespace, name }: Queue, { type }: Queued, fault: string): void {
    this.#options.onFailure(namespace, name);
    this.#options.log.warn({ namespace, migration: name, event: type }, `a webhook was not told of an event of a migration: ${fault}`);
  }
}

/** CloudEvents 1.0.2, in JSON. Who gets one twice knows it by `source` and `id`. */
function envelope(state: MigrationState, event: MigrationEvent): object {
  const { cluster, namespace, name, run, phase, step, spec } = state;
  return {
    specversion: '1.0',
    id: createHash('sha256')
      .update(JSON.stringify([run, event]))
      .digest('hex')
      .slice(0, 32),
    source: `/isthmus/${cluster}/migrations/${namespace}/${name}`,
    type: `dev.isthmus.migration.${event.type}`,
    subject: `${namespace}/${name}`,
    time: event.at,
    datacontenttype: 'application/json',
    data: { cluster, namespace, migration: name, service: spec.service, from: spec.from, to: spec.to, run, phase, step, ...event },
  };
}
