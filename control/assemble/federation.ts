import type { Registry } from 'prom-client';
import type { Federation, FederationDomain } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { FederatedTrustDomainObject, MeshSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { type JwtKey, parseCertificate, sha256Hex, type TrustBundle, withOthers } from '../../core/pki/index.ts';
import type { Store } from '../../core/store.ts';
import type { FederationApi } from '../admin/index.ts';
import { parseHostPort } from '../config/index.ts';
import { BundleServer, type DomainStatus, FederatedDomains, OwnBundle, type PublishedBundle } from '../federation/index.ts';
import { createFederationMetrics, type FederationMetrics, type Refusals } from '../telemetry/index.ts';
import type { ControlIdentity } from './control-identity.ts';

const refreshHintMs = 300_000;

export interface FederationHomeOptions {
  readonly mesh: MeshSpec;
  readonly identity: ControlIdentity;
  readonly store: Store;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly refusals: Refusals;
  readonly registry: Registry;
  /** What verifies JWT-SVIDs of our own trust domain. */
  readonly jwtKeys: () => readonly JwtKey[];
}

/** Other trust domains: their bundles, ours for them, and what the API asks of both. */
export class FederationHome {
  readonly domains: FederatedDomains;
  readonly api: FederationApi;
  readonly #options: FederationHomeOptions;
  readonly #own: OwnBundle;
  readonly #metrics: FederationMetrics;
  readonly #server: BundleServer | undefined;

  constructor(options: FederationHomeOptions) {
    this.#options = options;
    this.#metrics = createFederationMetrics(options.registry);
    const { mesh, identity, store, clock, refusals } = options;
    this.domains = new FederatedDomains({ ...options, onRefused: (error, trustDomain) => refuse(refusals, error, trustDomain) });
    const bundle = () => identity.authority.bundle();
    this.#own = new OwnBundle({
      store,
      clock,
      refreshHintMs: mesh.federation?.refreshHintMs ?? refreshHintMs,
      bundle,
      jwtKeys: () => unbounded(options.jwtKeys()),
    });
    this.#server = this.#serverOf();
    this.api = {
      list: async () => this.#list(),
      bundle: async () => ({ trustDomain: mesh.trustDomain, ...(await this.#published()) }),
      refresh: async (trustDomain) => {
        const before = this.#find(trustDomain);
        const value = this.#describe(await this.domains.refresh(trustDomain));
        return {
          value,
          diff: [{ subject: `federation/${trustDomain}`, before: { sequence: before?.sequence }, after: { sequence: value.sequence } }],
        };
      },
    };
  }

  /** What the mesh trusts, with the other domains beside it. */
  trust(): TrustBundle {
    const { identity, jwtKeys } = this.#options;
    return withOthers({ ...identity.authority.bundle(), jwtKeys: jwtKeys() }, this.domains.bundles());
  }

  /** Reads what is kept of each, and looks for newer from then on, until `signal` aborts. */
  configure(objects: readonly FederatedTrustDomainObject[], signal: AbortSignal): Promise<void> {
    return this.domains.configure(
      objects.map((object) => object.spec),
      signal,
    );
  }

  /** Where it listens; undefined: it serves no bundle. */
  get port(): number | undefined {
    return this.#server?.address.port;
  }

  async start(): Promise<void> {
    const { identity } = this.#options;
    identity.subscribe(() => this.#server?.refresh());
    await this.#server?.start();
  }

  async dispose(): Promise<void> {
    await this.#server?.dispose();
    await this.domains.ended();
  }

  /** Brings the gauges to what is true now. */
  record(): void {
    const { age, authorities, failures } = this.#metrics;
    for (const gauge of [age, authorities, failures]) gauge.reset();
    for (const domain of this.#list().domains) {
      const labels = { trust_domain: domain.trustDomain };
      if (domain.ageMs !== undefined) age.set(labels, domain.ageMs / 1_000);
      authorities.set(labels, domain.authorities.length);
      failures.set(labels, domain.failures);
    }
  }

  #serverOf(): BundleServer | undefined {
    const { mesh, identity, log } = this.#options;
    const spec = mesh.federation;
    if (spec === undefined) return undefined;
    const listen = parseHostPort(spec.listen) ?? { host: '0.0.0.0', port: 0 };
    return new BundleServer({ spec, listen, svid: () => identity.svid, bundle: () => this.#published(), log });
  }

  async #published(): Promise<PublishedBundle> {
    if (this.#options.identity.authority.bundle().roots.length === 0)
      throw new MeshError('IDENTITY_INVALID', 'this cluster has no root yet: run isthmus peer join TOKEN', { retryable: true });
    return this.#own.current();
  }

  #list(): Federation {
    return { trustDomain: this.#options.mesh.trustDomain, domains: this.domains.status().map((each) => this.#describe(each)) };
  }

  #find(trustDomain: string): FederationDomain | undefined {
    return this.#list().domains.find((each) => each.trustDomain === trustDomain);
  }

  #describe({ spec, known, error, failures, nextAt }: DomainStatus): FederationDomain {
    const now = this.#options.clock.now();
    const { trustDomain, namespaces, bundleEndpoint, bundleFile } = spec;
    const sequence = known?.bundle.sequence;
    const authorities = (known?.bundle.authorities ?? []).flatMap((der) => {
      const certificate = parseCertificate(der);
      return certificate.ok ? [{ sha256: sha256Hex(der), notAfter: new Date(certificate.value.notAfter).toISOString() }] : [];
    });
    return {
      trustDomain,
      namespaces: [...namespaces],
      state: known === undefined ? 'unknown' : known.bundle.authorities.length === 0 ? 'revoked' : failures > 0 ? 'stale' : 'current',
      authorities,
      jwtKeys: known?.bundle.jwtKeys.length ?? 0,
      failures,
      ...(bundleEndpoint === undefined ? {} : { endpoint: bundleEndpoint.url, profile: bundleEndpoint.profile }),
      ...(bundleFile === undefined ? {} : { bundleFile }),
      ...(sequence === undefined ? {} : { sequence }),
      ...(known === undefined ? {} : { ageMs: Math.max(0, now - known.kept.confirmedAt) }),
      ...(nextAt === undefined ? {} : { nextInMs: Math.max(0, nextAt - now) }),
      ...(error === undefined ? {} : { error }),
    };
  }
}

/** Others know of no key that speaks for some identities alone: of a cluster that may not speak for all they get none, and believe none of its tokens. */
function unbounded(keys: readonly JwtKey[]): readonly JwtKey[] {
  return keys.filter(({ namespaces }) => namespaces.includes('*'));
}

function refuse(refusals: Refusals, error: MeshError, trustDomain: string): void {
  const reason =
    error.code === 'IDENTITY_INVALID'
      ? 'bad-certificate'
      : error.code === 'LIMIT_EXCEEDED'
        ? 'too-large'
        : error.code === 'PROTOCOL_ERROR'
          ? 'malformed'
          : 'unreachable';
  refusals.refuse('federation', reason, error.message, { trustDomain });
}
