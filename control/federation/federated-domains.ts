import type { FederatedTrustDomainSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { childController } from '../../core/lifecycle.ts';
import type { TrustBundle } from '../../core/pki/index.ts';
import { type DomainOptions, type DomainStatus, FederatedDomain } from './federated-domain.ts';

interface Running {
  readonly domain: FederatedDomain;
  readonly signal: AbortSignal;
  readonly stop: () => void;
  readonly ended: Promise<void>;
}

/** All trust domains that this control plane federates with, as its configuration names them. */
export class FederatedDomains {
  readonly #options: Omit<DomainOptions, 'onChange'>;
  readonly #listeners = new Set<() => void>();
  readonly #running = new Map<string, Running>();

  constructor(options: Omit<DomainOptions, 'onChange'>) {
    this.#options = options;
  }

  /** Those that are known, by their names. */
  bundles(): readonly TrustBundle[] {
    return [...this.#running.values()]
      .flatMap(({ domain }) => (domain.trust === undefined ? [] : [domain.trust]))
      .sort((a, b) => (a.trustDomain < b.trustDomain ? -1 : 1));
  }

  status(): readonly DomainStatus[] {
    return [...this.#running.values()]
      .map(({ domain }) => domain.status())
      .sort((a, b) => (a.spec.trustDomain < b.spec.trustDomain ? -1 : 1));
  }

  /** Looks now. MeshError NOT_FOUND for a domain that is not federated, else as FederatedDomain's. */
  async refresh(trustDomain: string): Promise<DomainStatus> {
    const running = this.#running.get(trustDomain);
    if (running === undefined) throw new MeshError('NOT_FOUND', `${trustDomain} is not federated: name it in a FederatedTrustDomain`);
    await running.domain.refresh(running.signal);
    return running.domain.status();
  }

  /**
   * Takes the configuration over. Resolves when what is kept of new domains was read; their endpoints are asked from then on, until `signal`
   * aborts. A domain that is no longer named is trusted no longer; what is kept of it stays, for when it is named again.
   */
  async configure(specs: readonly FederatedTrustDomainSpec[], signal: AbortSignal): Promise<void> {
    const wanted = new Map(specs.map((spec) => [spec.trustDomain, spec]));
    for (const [name, { domain, stop }] of this.#running) {
      if (JSON.stringify(wanted.get(name)) === JSON.stringify(domain.spec) && domain.spec.bundleFile === undefined) continue;
      stop();
      if (!wanted.has(name)) this.#running.delete(name);
    }
    for (const [name, spec] of wanted) {
      if (this.#running.get(name)?.signal.aborted === false) continue;
      const domain = new FederatedDomain(spec, { ...this.#options, onChange: () => this.#changed() });
      await domain.load();
      const { controller, release } = childController(signal);
      const ended = domain
        .run(controller.signal)
        .catch((error: unknown) => this.#options.log.error({ error }, 'a federation ended'))
        .finally(release);
      this.#running.set(name, { domain, signal: controller.signal, stop: () => controller.abort(), ended });
    }
    this.#changed();
  }

  /** Resolves when nothing runs any more, after the signal. */
  async ended(): Promise<void> {
    await Promise.all([...this.#running.values()].map((each) => each.ended));
  }

  /** Called after each change of the bundles. Returns its undoing. */
  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
