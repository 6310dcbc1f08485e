import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { EngineListener, EngineListenerSpec } from '../engine/index.ts';
import { type FailedListener, KeptListeners } from '../inbound/kept-listeners.ts';
import type { DataPlaneState, IngressListenerState } from '../state/index.ts';
import type { Rules } from '../tables.ts';
import { type CertificateStatus, Certificates } from './certificates.ts';
import { IngressRules } from './rules.ts';

export interface IngressOptions {
  /** Where ports are bound whose Gateway names no address. */
  readonly address: string;
  readonly clock: Clock;
  readonly log: Log;
  /** `rules` are other ones now. */
  readonly refresh: () => void;
  /** Of all its ports. */
  readonly acceptProxy?: NonNullable<EngineListenerSpec['acceptProxy']>;
  readonly listen: (spec: EngineListenerSpec) => Promise<EngineListener>;
}

export interface IngressStatus {
  readonly open: readonly number[];
  readonly failed: readonly FailedListener[];
  readonly certificates: readonly CertificateStatus[];
}

/** The ports of an ingress gateway: their certificates first, then what they lead to, then open. */
export class Ingress {
  readonly #options: IngressOptions;
  readonly #certificates: Certificates;
  readonly #listeners: KeptListeners;
  readonly #rules = new IngressRules();
  #served: readonly IngressListenerState[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(options: IngressOptions) {
    const { clock, log, refresh, listen } = options;
    this.#options = options;
    this.#certificates = new Certificates({ clock, log, onChange: refresh });
    this.#listeners = new KeptListeners({ listen, log });
  }

  rules(state: DataPlaneState): Rules {
    return this.#rules.of(state, this.#served, (tls) => this.#certificates.find(tls));
  }

  status(): IngressStatus {
    const { ports: open, failed } = this.#listeners;
    return { open, failed, certificates: this.#certificates.status() };
  }

  /** Serialised. Never rejects. */
  apply(state: DataPlaneState): Promise<void> {
    this.#last = this.#last.then(() => this.#apply(state));
    return this.#last;
  }

  /** Until `signal` aborts. `draining`: nothing new is to open. */
  async run(draining: () => boolean, signal: AbortSignal): Promise<void> {
    const wanted = () => (draining() ? undefined : this.#specs());
    await Promise.all([this.#certificates.run(signal), this.#listeners.run(wanted, this.#options.clock, signal)]);
  }

  async #apply(state: DataPlaneState): Promise<void> {
    const next: IngressListenerState[] = [];
    for (const listener of state.listeners.values()) {
      if (listener.kind !== 'ingress') continue;
      // A port that is open goes on; a new one waits until it is known where it leads, rather than answering 404.
      const isOpen = this.#served.some(({ name }) => name === listener.name);
      if (isOpen || listener.servers.some(({ routing }) => state.routings.has(routing))) next.push(listener);
    }
    await this.#certificates.want(next.flatMap(({ servers }) => servers.flatMap(({ tls }) => (tls === undefined ? [] : [tls]))));
    this.#served = next;
    this.#options.refresh();
    await this.#listeners.apply(this.#specs());
  }

  #specs(): readonly EngineListenerSpec[] {
    return this.#served.map(({ name, address, port }) => ({
      name,
      address: address === '' ? this.#options.address : address,
      port,
      kind: 'ingress',
      ...(this.#options.acceptProxy === undefined ? {} : { acceptProxy: this.#options.acceptProxy }),
    }));
  }
}
