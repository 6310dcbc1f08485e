import { isIP } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { toMeshError } from '../../core/errors.ts';
import { Latest } from '../../core/latest.ts';
import { isAborted, runGroup } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { type ClusterId, formatSpiffeId, type NetworkId, networkId } from '../../core/model/index.ts';
import type { Store } from '../../core/store.ts';
import { decodeInstance, gatewaysPrefix, type RegisteredGatewayRecord, type RegisteredTunnel } from '../../registries/vm/index.ts';
import type { Instances } from './instances.ts';

/** One gateway of this cluster, for the catalog and for peers. */
export interface RegisteredGateway {
  readonly cluster: ClusterId;
  readonly network: NetworkId;
  readonly instance: string;
  /** IPs: hostnames have been resolved. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly healthy: boolean;
  readonly draining: boolean;
  readonly identityNamespace: string;
  readonly serviceAccount: string;
  /** It takes tunnels. Default false. */
  readonly holdsTunnels?: boolean;
  /** What moves its bytes, by its own word. */
  readonly engine?: string;
  /** Nobody can dial it. `secretSha256` in hex; `gateways`: CLUSTER/INSTANCE that it has tunnels to. */
  readonly tunnel?: { readonly identity: string; readonly secretSha256: string; readonly gateways: readonly string[] };
}

export interface GatewayListOptions {
  readonly store: Store;
  readonly instances: Instances;
  readonly cluster: ClusterId;
  readonly trustDomain: string;
  /** A, and AAAA, of a hostname. Rejects when it can't be had; an empty answer is one. */
  readonly resolve: (hostname: string) => Promise<readonly string[]>;
  /** Default 30 s. */
  readonly resolveEveryMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The gateways that registered here, with hostnames re-resolved so that peers only ever see IPs. A name that does not resolve keeps
 * the IPs it had, which are stored: a restart without DNS loses nothing.
 */
export class GatewayList {
  /** Complete lists, sorted; the newest is kept for whoever comes later. Nothing is set before the store has been read. */
  readonly gateways = new Latest<readonly RegisteredGateway[]>();
  readonly #options: GatewayListOptions;
  #records = new Map<string, RegisteredGatewayRecord>();

  constructor(options: GatewayListOptions) {
    this.#options = options;
  }

  /** Follows the store and the names until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await runGroup(signal, [(aborted) => this.#follow(aborted), (aborted) => this.#resolveAgain(aborted)]);
    this.gateways.close();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { store, log, clock } = this.#options;
    while (!signal.aborted) {
      try {
        const { entries, revision } = await store.list(gatewaysPrefix);
        this.#records = new Map();
        for (const entry of entries) this.#take(entry.key, decodeInstance(entry));
        this.#publish();
        for await (const batch of store.watch(gatewaysPrefix, revision, signal)) {
          for (const change of batch.changes) {
            if (change.kind === 'delete') this.#records.delete(change.key);
            else this.#take(change.entry.key, decodeInstance(change.entry));
          }
          this.#publish();
        }
      } catch (error) {
        if (isAborted(error)) return;
        log.warn({ error }, 'gateways cannot be read: what is known stays');
        await clock.sleep(1_000, signal).catch(() => undefined);
      }
    }
  }

  #take(key: string, record: ReturnType<typeof decodeInstance>): void {
    if (record.role !== 'gateway') return;
    const known = this.#records.get(key);
    this.#records.set(key, record);
    const names = record.addresses.filter((address) => isIP(address) === 0);
    if (known === undefined || names.some((name) => record.resolved[name] === undefined)) void this.#resolve(key, record);
  }

  #publish(): void {
    const list = [...this.#records.values()].map((record) => this.#gateway(record));
    this.gateways.set(list.sort((a, b) => (`${a.network}/${a.instance}` < `${b.network}/${b.instance}` ? -1 : 1)));
  }

  #gateway(record: RegisteredGatewayRecord): RegisteredGateway {
    const addresses = record.addresses.flatMap((address) => (isIP(address) === 0 ? (record.resolved[address] ?? []) : [address]));
    return {
      cluster: this.#options.cluster,
      network: networkId(record.network),
      instance: record.instance,
      addresses: [...new Set(addresses)],
      port: record.port,
      healthy: !record.expired && (addresses.length > 0 || record.tunnel !== undefined),
      draining: record.draining,
      identityNamespace: record.namespace,
      serviceAccount: record.serviceAccount,
      ...(record.holdsTunnels === true ? { holdsTunnels: true } : {}),
      ...(record.engine === undefined ? {} : { engine: record.engine }),
      ...(record.tunnel === undefined ? {} : { tunnel: this.#tunnel(record, record.tunnel) }),
    };
  }

  #tunnel({ namespace, serviceAccount }: RegisteredGatewayRecord, tunnel: RegisteredTunnel): NonNullable<RegisteredGateway['tunnel']> {
    return { identity: formatSpiffeId({ trustDomain: this.#options.trustDomain, namespace, serviceAccount }), ...tunnel };
  }

  async #resolveAgain(signal: AbortSignal): Promise<void> {
    const { clock, resolveEveryMs = 30_000 } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(resolveEveryMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      await Promise.all([...this.#records].map(([key, record]) => this.#resolve(key, record)));
    }
  }

  async #resolve(key: string, record: RegisteredGatewayRecord): Promise<void> {
    const { resolve, instances, log } = this.#options;
    const resolved: Record<string, readonly string[]> = {};
    for (const name of record.addresses.filter((address) => isIP(address) === 0)) {
      const old = record.resolved[name];
      const found = await resolve(name).catch((error: unknown) => {
        log.warn({ gateway: record.instance, name, error: String(error) }, 'gateway name does not resolve: its last addresses stay');
        return undefined;
      });
      const ips = found === undefined || found.length === 0 ? old : [...found].filter((ip) => isIP(ip) !== 0).sort();
      if (ips !== undefined) resolved[name] = ips;
    }
    if (JSON.stringify(resolved) === JSON.stringify(record.resolved)) return;
    try {
      await instances.setResolved(key, record.generation, resolved);
    } catch (error) {
      log.warn(
        { registration: key, error: toMeshError(error).message },
        'resolved addresses of a gateway were not stored: tried again later',
      );
    }
  }
}
