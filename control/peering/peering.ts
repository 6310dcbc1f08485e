import { randomUUID } from 'node:crypto';
import { status as grpcStatus, type ServerDuplexStream } from '@grpc/grpc-js';
import { MeshError } from '../../core/errors.ts';
import { clusterId, controlServiceAccount, systemNamespace } from '../../core/model/index.ts';
import type { peering } from '../../core/xds/index.ts';
import type {
  ChangedServices,
  ExportInputs,
  PeerCaller,
  PeeringOptions,
  PeeringTiming,
  PeerObjectsReport,
  PeerRecord,
  PeerReport,
} from './contract.ts';
import { type KeptObjects, ObjectRecords } from './object-records.ts';
import { Peer, type PeerContext } from './peer.ts';
import { exportEpoch, listPeers, peerKey, updateAddresses } from './peer-store.ts';
import type { HeldSet } from './shared-objects.ts';

export type PeerCall = ServerDuplexStream<peering.PeerMessage, peering.PeerMessage>;

const none: HeldSet['named'] = [];

const defaultTiming: PeeringTiming = {
  heartbeatMs: 2_000,
  silenceMs: 6_000,
  lostAfterMs: 1_500,
  backoffBaseMs: 250,
  backoffMaxMs: 10_000,
  helloMs: 8_000,
};

/** All peers of this control plane. */
export interface Peering {
  /** For `front.addService(peering.PeeringService, …)`. */
  handlers(callerOf: (call: PeerCall) => PeerCaller | undefined): peering.PeeringServer;
  /** Reads the stored peers, tells the sink of them, and begins to dial. Ends all of it when `signal` aborts. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when every stream and loop has ended, after the signal. */
  readonly done: Promise<void>;
  /** What may be exported has changed. Before the first call peers are told nothing. */
  updateExports(inputs: ExportInputs, services: ChangedServices): void;
  /** Namespaces that peers may bring (`namespacesOf`) have changed. */
  reconsiderObjects(): void;
  /** Takes on a peer that the store holds already. Idempotent; newer addresses are taken over. */
  added(record: PeerRecord): void;
  /** Forgets the peer, durably, and purges everything it told. MeshError NOT_FOUND. */
  remove(cluster: string): Promise<void>;
  report(): readonly PeerReport[];
  /** Who has and holds which shared objects. The maps are live, and not to be kept. */
  objects(): readonly PeerObjectsReport[];
}

export function createPeering(options: PeeringOptions): Peering {
  return new PeerRegistry(options);
}

class PeerRegistry implements Peering {
  readonly done: Promise<void>;
  readonly #options: PeeringOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #running = new Set<Promise<void>>();
  readonly #process = randomUUID();
  readonly #records: ObjectRecords;
  #context: PeerContext | undefined;
  #inputs: ExportInputs | undefined;
  #finish: () => void = () => {};

  constructor(options: PeeringOptions) {
    this.#options = options;
    this.#records = new ObjectRecords(options.store, options.clock, options.log);
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  handlers(callerOf: (call: PeerCall) => PeerCaller | undefined): peering.PeeringServer {
    return { stream: (call) => this.#accept(call, callerOf(call)) };
  }

  async start(signal: AbortSignal): Promise<void> {
    const { store, timing } = this.#options;
    const epoch = await exportEpoch(store, randomUUID);
    const records = await listPeers(store);
    this.#context = {
      ...this.#options,
      fullTiming: { ...defaultTiming, ...timing },
      epoch,
      process: this.#process,
      trustDomain: () => this.#inputs?.trust.trustDomain,
      onAddresses: (cluster, addresses) => this.#learn(cluster, addresses),
      keepObject: (cluster, change) => this.#records.put(cluster, change),
      onObjects: () => this.#export(new Set()),
    };
    const kept = await this.#records.load();
    for (const record of records) this.#add(record, kept.get(record.cluster));
    // Of peers that were removed while their objects could not be.
    for (const [cluster, objects] of kept) {
      if (!this.#peers.has(cluster)) this.#forget(cluster, objects);
    }
    const end = () => {
      for (const peer of this.#peers.values()) peer.stop('shutting down');
      Promise.all(this.#running)
        .then(() => this.#records.stop())
        .then(this.#finish, this.#finish);
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  }

  updateExports(inputs: ExportInputs, services: ChangedServices): void {
    this.#inputs = inputs;
    this.#export(services);
  }

  reconsiderObjects(): void {
    for (const peer of this.#peers.values()) peer.objects.reconsider();
  }

  added(record: PeerRecord): void {
    this.#add(record, undefined);
  }

  #export(services: ChangedServices): void {
    if (this.#inputs === undefined) return;
    const held = [...this.#peers.values()].flatMap((peer) => peer.objects.holds() ?? []);
    for (const peer of this.#peers.values()) {
      // What an owner calls its objects is for the owner, and for whoever has them from it.
      const knows = (owner: string) => owner === peer.cluster || peer.objects.words.states.has(owner);
      const told = held.map((set) => (knows(set.state.owner) ? set : { ...set, named: none }));
      peer.exports.update(this.#inputs, services, told);
    }
  }

  /** `kept`: its objects, from an earlier process. */
  #add(record: PeerRecord, kept: KeptObjects | undefined): void {
    const { cluster, sink, namespacesOf } = this.#options;
    if (this.#context === undefined || record.cluster === cluster) return;
    const known = this.#peers.get(record.cluster);
    if (known !== undefined) {
      known.update(record);
      return;
    }
    sink.addPeer(clusterId(record.cluster), namespacesOf?.(record.cluster) ?? ['*']);
    const peer = new Peer(record, this.#context);
    this.#peers.set(record.cluster, peer);
    if (kept !== undefined) peer.objects.restore(kept);
    // All of it for the new peer, which has nothing yet.
    this.#export(new Set());
    const run = peer.run().catch((error: unknown) => this.#options.log.error({ peer: record.cluster, error }, 'dialling a peer ended'));
    this.#running.add(run);
    void run.finally(() => this.#running.delete(run));
  }

  #forget(cluster: string, { objects, ages, waiting }: KeptObjects): void {
    for (const name of objects.keys()) this.#records.put(cluster, { kind: 'object', name, bytes: undefined });
    for (const name of ages.keys()) this.#records.put(cluster, { kind: 'age', name, at: undefined });
    for (const name of waiting.keys()) this.#records.put(cluster, { kind: 'waiting', name, value: undefined });
    this.#records.put(cluster, { kind: 'known', at: undefined });
    this.#records.put(cluster, { kind: 'lead', by: undefined });
  }

  async remove(cluster: string): Promise<void> {
    const { store, sink, anchors, log } = this.#options;
    const entry = await store.get(peerKey(cluster));
    if (entry === undefined && !this.#peers.has(cluster))
      throw new MeshError('NOT_FOUND', `${cluster} is not a peer: see isthmus peer list`);
    await store.txn({ if: [], then: [{ op: 'delete', key: peerKey(cluster) }] });
    const peer = this.#peers.get(cluster);
    peer?.stop('the peering was removed');
    this.#peers.delete(cluster);
    peer?.objects.purge();
    await sink.removePeer(clusterId(cluster));
    anchors.setPeer(cluster, undefined);
    this.#options.onTrust?.(cluster, undefined);
    log.info({ peer: cluster }, 'peer removed');
  }

  report(): readonly PeerReport[] {
    return [...this.#peers.values()].map((peer) => peer.report());
  }

  objects(): readonly PeerObjectsReport[] {
    return [...this.#peers.values()].map(({ cluster, objects }) => {
      const { states, named } = objects.words;
      return { cluster, current: objects.current, states, named, held: objects.holds() };
    });
  }

  #accept(call: PeerCall, caller: PeerCaller | undefined): void {
    const refusal = this.#refusalOf(caller);
    if (refusal !== undefined) call.emit('error', refusal);
    else if (caller !== undefined) this.#peers.get(caller.cluster)?.accept(call);
  }

  #refusalOf(caller: PeerCaller | undefined): { readonly code: grpcStatus; readonly details: string } | undefined {
    if (caller === undefined) return { code: grpcStatus.UNAUTHENTICATED, details: 'the certificate of a control plane is needed' };
    const { namespace, serviceAccount } = caller.spiffeId;
    if (namespace !== systemNamespace || serviceAccount !== controlServiceAccount) {
      return { code: grpcStatus.PERMISSION_DENIED, details: 'only control planes peer' };
    }
    if (this.#peers.has(caller.cluster)) return undefined;
    const details = `${caller.cluster} is not a peer here: join the clusters with isthmus peer invite and peer join`;
    return { code: grpcStatus.PERMISSION_DENIED, details };
  }

  #learn(cluster: string, addresses: readonly string[]): void {
    if (addresses.length === 0) return;
    updateAddresses(this.#options.store, cluster, addresses).then(
      (record) => record && this.#peers.get(cluster)?.update(record),
      (error: unknown) => this.#options.log.warn({ peer: cluster, error }, 'the addresses of a peer could not be stored'),
    );
  }
}
