import { type ServiceRecord, serviceKey } from '../../../core/model/index.ts';
import type { RegistryEvent, RegistrySource } from '../../../core/registry/index.ts';
import { until } from '../../support/until.ts';

/** Reads a source as the catalog does, and keeps what it said. */
export class Follower {
  readonly events: RegistryEvent[] = [];
  readonly state = new Map<string, ServiceRecord>();
  /** Rejections of the iteration: must stay undefined. */
  failure: unknown;
  readonly ended: Promise<void>;
  readonly #controller = new AbortController();

  constructor(source: RegistrySource) {
    this.ended = this.#read(source);
  }

  kinds(): string[] {
    return this.events.map((e) => e.kind);
  }

  /** Ports of a service's endpoints, healthy ones only unless said; sorted. Undefined: there is no such service. */
  ports(service: string, all = false): number[] | undefined {
    const record = this.state.get(`default/${service}`);
    return record?.endpoints
      .filter((e) => all || e.health === 'healthy')
      .flatMap((e) => Object.values(e.ports))
      .sort((a, b) => a - b);
  }

  async untilPorts(service: string, ...expected: number[]): Promise<void> {
    const what = `${service} at ${expected.join(', ') || 'no port'}`;
    await until(what, () => JSON.stringify(this.ports(service) ?? []) === JSON.stringify(expected)).catch((error: Error) => {
      throw new Error(`${error.message}; it is at ${JSON.stringify(this.ports(service, true))}; events ${this.kinds().join(' ')}`);
    });
  }

  async untilKind(kind: RegistryEvent['kind'], after = 0): Promise<number> {
    await until(`event ${kind} after ${after}`, () => this.kinds().indexOf(kind, after) >= 0);
    return this.kinds().indexOf(kind, after);
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.ended;
    if (this.failure !== undefined) throw this.failure;
  }

  async #read(source: RegistrySource): Promise<void> {
    try {
      for await (const event of source.watch(this.#controller.signal)) {
        this.events.push(event);
        if (event.kind === 'snapshot') this.state.clear();
        if (event.kind === 'snapshot') for (const s of event.services) this.state.set(serviceKey(s.namespace, s.name), s);
        if (event.kind === 'upsert') this.state.set(serviceKey(event.service.namespace, event.service.name), event.service);
        if (event.kind === 'delete') this.state.delete(event.id);
      }
    } catch (error) {
      this.failure = error;
    }
  }
}
