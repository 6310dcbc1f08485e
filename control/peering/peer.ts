import { randomUUID } from 'node:crypto';
import { status as grpcStatus } from '@grpc/grpc-js';
import { MeshError, toMeshError } from '../../core/errors.ts';
import { exponentialBackoff, isAborted } from '../../core/lifecycle.ts';
import { type ClusterId, clusterId } from '../../core/model/index.ts';
import { DeltaClientState, peering } from '../../core/xds/index.ts';
import type { PeeringOptions, PeeringTiming, PeerRecord, PeerReport } from './contract.ts';
import type { KeptChange } from './object-records.ts';
import { PeerExports } from './peer-exports.ts';
import { PeerImports } from './peer-imports.ts';
import { PeerObjects } from './peer-objects.ts';
import { type PeerParts, PeerSession, type PeerStream } from './peer-session.ts';
import { mergeAddresses } from './peer-store.ts';

/** A channel of its own for each attempt: names are resolved anew, a dead connection is not picked up again. */
const channelOptions = { 'grpc.use_local_subchannel_pool': 1, 'grpc.max_receive_message_length': 32 * 1024 * 1024 };

export interface PeerContext extends PeeringOptions {
  readonly fullTiming: PeeringTiming;
  readonly epoch: string;
  /** Random, of this process. */
  readonly process: string;
  readonly trustDomain: () => string | undefined;
  readonly onAddresses: (cluster: string, addresses: readonly string[]) => void;
  readonly keepObject: (cluster: string, change: KeptChange) => void;
  readonly onObjects: () => void;
}

/**
 * One peer for as long as it is one. Holds at most one stream in use, whoever dialled it. When both did, the one dialled by
 * the cluster whose name sorts first stays: both sides decide alike, so nothing flaps. As long as one is in use nobody dials.
 */
export class Peer {
  readonly cluster: ClusterId;
  readonly exports: PeerExports;
  readonly objects: PeerObjects;
  readonly #context: PeerContext;
  readonly #imports: PeerImports;
  readonly #stop = new AbortController();
  /** Wakes the dialling loop when a stream has ended. */
  #wake = new AbortController();
  #client = new DeltaClientState();
  #record: PeerRecord;
  #session: PeerSession | undefined;
  #epoch: string | undefined;
  #everConnected = false;
  #dialling = false;
  #lost = false;
  #version: string | undefined;
  #error: string | undefined;

  constructor(record: PeerRecord, context: PeerContext) {
    this.cluster = clusterId(record.cluster);
    this.#record = record;
    this.#context = context;
    this.exports = new PeerExports(this.cluster);
    const { sink, anchors, clock, trustDomain, onTrust } = context;
    const knownSources = context.knownSources ?? (() => []);
    this.objects = new PeerObjects({
      cluster: this.cluster,
      sink: context.objects,
      parse: context.parse,
      namespaces: () => context.namespacesOf?.(this.cluster) ?? ['*'],
      clock,
      log: context.log,
      keep: (change) => context.keepObject(this.cluster, change),
      onChange: context.onObjects,
    });
    const { objects } = this;
    const heard = onTrust === undefined ? {} : { onTrust };
    this.#imports = new PeerImports({ cluster: this.cluster, sink, anchors, clock, trustDomain, knownSources, objects, ...heard });
  }

  /** Dials whenever no stream is in use and there is an address; ends with `stop`. */
  async run(): Promise<void> {
    const { clock, random, fullTiming: timing } = this.#context;
    const backoff = exponentialBackoff({ baseMs: timing.backoffBaseMs, maxMs: timing.backoffMaxMs, random });
    for (let attempt = 0; !this.#stop.signal.aborted; attempt += 1) {
      const addresses = this.#addresses();
      const address = addresses[attempt % Math.max(1, addresses.length)];
      if (this.#session === undefined && address !== undefined && (await this.#dial(address))) backoff.reset();
      if (this.#session !== undefined) {
        await this.#untilLost();
        backoff.reset();
      }
      this.#wake = new AbortController();
      await clock.sleep(backoff.next() + random() * timing.backoffBaseMs, this.#stop.signal).catch(() => undefined);
    }
  }

  /** A stream that the peer has opened; its certificate has proven the cluster. */
  accept(stream: PeerStream): void {
    const hangUp = (details: string) => void stream.emit('error', { code: grpcStatus.UNAVAILABLE, details });
    this.#begin(stream, 'them', hangUp, () => {});
  }

  /** With newer addresses, after a join or a hello. */
  update(record: PeerRecord): void {
    this.#record = record;
  }

  /** Ends everything; the peer is gone for good, or this process is. */
  stop(reason: string): void {
    this.#stop.abort();
    this.#wake.abort();
    this.objects.end();
    this.#session?.end(reason);
  }

  report(): PeerReport {
    const connected = this.#session !== undefined;
    const state = connected ? 'connected' : this.#dialling ? 'connecting' : this.#everConnected ? 'lost' : 'pending';
    return {
      cluster: this.cluster,
      state,
      dialledBy: this.#session?.dialledBy ?? 'nobody',
      dataAgeMs: this.#imports.dataAgeMs ?? null,
      addresses: this.#addresses(),
      ...(this.#version === undefined ? {} : { version: this.#version }),
      ...(connected || this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  /** One attempt; resolves with whether the stream was ever in use, once it is in use or over. */
  async #dial(address: string): Promise<boolean> {
    this.#dialling = true;
    try {
      const { credentials, options } = this.#context.security(this.cluster);
      const client = new peering.PeeringClient(address, credentials, { ...options, ...channelOptions });
      const call = client.stream();
      const settled = new Promise<boolean>((resolve) => {
        const hangUp = () => {
          call.cancel();
          client.close();
        };
        this.#begin(call, 'us', hangUp, resolve);
      });
      return await settled;
    } catch (error) {
      this.#failed(toMeshError(error, 'PEER_UNREACHABLE', address));
      return false;
    } finally {
      this.#dialling = false;
    }
  }

  #addresses(): readonly string[] {
    return mergeAddresses(this.#context.addressesOf?.(this.cluster) ?? [], this.#record.addresses);
  }

  #failed(error: MeshError): void {
    this.#error = error.message;
    this.#context.log.warn({ peer: this.cluster, error: error.message }, 'peer not reached');
  }

  #begin(stream: PeerStream, dialledBy: 'us' | 'them', hangUp: (reason: string) => void, settled: (used: boolean) => void): void {
    const { clock, fullTiming: timing, cluster, version, epoch, addresses, process } = this.#context;
    const hello = peering.PeerHello.create({ cluster, version, epoch, addresses: [...addresses()], process });
    new PeerSession({
      stream,
      hangUp,
      dialledBy,
      cluster: this.cluster,
      hello,
      clock,
      timing,
      onHello: (session, theirs) => {
        const parts = this.#adopt(session, theirs);
        settled(typeof parts !== 'string');
        return parts;
      },
      onEnd: (session, reason) => {
        settled(false);
        this.#ended(session, reason);
      },
    });
  }

  #adopt(session: PeerSession, hello: peering.PeerHello): PeerParts | string {
    if (this.#stop.signal.aborted) return 'no longer a peer';
    const current = this.#session;
    if (current !== undefined && !this.#prefers(session, current)) return 'another stream between the two clusters is in use';
    this.#session = session;
    this.#lost = false;
    current?.end('replaced by another stream between the two clusters');
    const fresh = this.#epoch !== hello.epoch;
    if (fresh) this.#client = new DeltaClientState();
    this.#epoch = hello.epoch;
    this.#version = hello.version.slice(0, 64);
    this.#everConnected = true;
    this.#error = undefined;
    this.#imports.opened(fresh);
    this.#context.onAddresses(this.cluster, mergeAddresses(hello.addresses, []));
    this.#context.log.info({ peer: this.cluster, dialledBy: session.dialledBy, resumed: !fresh }, 'peer connected');
    return { client: this.#client, imports: this.#imports, exports: this.exports, epoch: this.#context.epoch, streamId: randomUUID() };
  }

  /** Whether a new stream takes the place of the one in use. */
  #prefers(session: PeerSession, current: PeerSession): boolean {
    // Restarted, or redialled by the same side: what we hold is a stream whose end has not reached us.
    if (session.hello?.process !== current.hello?.process || session.dialledBy === current.dialledBy) return true;
    const first = this.#context.cluster < this.cluster ? 'us' : 'them';
    return session.dialledBy === first;
  }

  #ended(session: PeerSession, reason: string): void {
    if (this.#session !== session) {
      if (session.hello === undefined && session.dialledBy === 'us') this.#failed(new MeshError('PEER_UNREACHABLE', reason));
      return;
    }
    this.#session = undefined;
    this.#error = reason;
    this.#wake.abort();
    // A stream that is replaced at once is no loss.
    const { clock, log, fullTiming: timing } = this.#context;
    const since = clock.sleep(timing.lostAfterMs, this.#stop.signal).then(() => {
      if (this.#session !== undefined || this.#lost) return;
      this.#lost = true;
      log.warn({ peer: this.cluster, reason }, 'peer lost; what it told stays, ranked last');
      this.#imports.lost(reason);
    });
    since.catch(() => undefined);
  }

  async #untilLost(): Promise<void> {
    const { clock } = this.#context;
    const { signal } = this.#wake;
    try {
      while (this.#session !== undefined) await clock.sleep(3_600_000, signal);
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }
}
