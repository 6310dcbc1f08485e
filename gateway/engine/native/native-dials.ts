import { toMeshError } from '../../../core/errors.ts';
import type { EndpointState, UpstreamTls } from '../../state/types.ts';
import type { DialRequest, DialResult, EngineOptions } from '../contract.ts';
import type { NativeAddon } from './addon.ts';
import type { NativeDial, NativeDialled } from './messages.ts';
import type { PairedEnds } from './paired-ends.ts';

type DialAddon = Pick<NativeAddon, 'dial' | 'cancelDial'>;

interface Pending {
  readonly place: string;
  readonly resolve: (result: DialResult) => void;
}

const aborted: DialResult = { ok: false, failure: 'aborted', reason: 'aborted' };

/** Connections to endpoints that TypeScript asks the crate for: TCP and mTLS are done there, and what comes here is plaintext. */
export class NativeDials {
  readonly #addon: DialAddon;
  readonly #engine: number;
  readonly #admit: EngineOptions['admit'];
  readonly #ends: PairedEnds;
  readonly #pending = new Map<number, Pending>();
  /** What is dialled and stands, by ADDRESS:PORT. */
  readonly #places = new Map<string, { readonly endpoint: EndpointState; open: number }>();
  #disposed = false;

  constructor(addon: DialAddon, engine: number, admit: EngineOptions['admit'], ends: PairedEnds) {
    this.#addon = addon;
    this.#engine = engine;
    this.#admit = admit;
    this.#ends = ends;
  }

  /** As Engine's. */
  async dial(request: DialRequest, tls: UpstreamTls, keepAliveMs: number | undefined): Promise<DialResult> {
    const release = this.#admit === undefined ? () => {} : this.#admit(request.clusterName, request.always === true);
    if (release === undefined) return { ok: false, failure: 'overflow', reason: 'the cluster has as many connections as it may' };
    const result = await this.#begin(request, tls, keepAliveMs);
    if (result.ok && !result.socket.closed) result.socket.once('close', release);
    else release();
    return result;
  }

  dialled({ number, fd, peer, alpn, failure, reason }: NativeDialled): void {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    const socket = fd === null ? undefined : this.#ends.adopt(number, fd);
    if (pending === undefined || this.#disposed) {
      socket?.destroy();
      if (pending !== undefined) this.#settle(pending, aborted);
    } else if (socket === undefined) this.#settle(pending, { ok: false, failure, reason });
    else {
      socket.once('close', () => this.#leave(pending.place));
      pending.resolve({ ok: true, socket, alpn, ...(peer === null ? {} : { peer }) });
    }
  }

  /** To which something is dialled or stands. */
  endpointAt(place: string): EndpointState | undefined {
    return this.#places.get(place)?.endpoint;
  }

  /** What is under way is given up. Idempotent. */
  dispose(): void {
    this.#disposed = true;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const each of pending) this.#settle(each, aborted);
  }

  async #begin(
    { clusterName, endpoint, connectTimeoutMs, alpn = [], signal }: DialRequest,
    tls: UpstreamTls,
    keepAliveMs?: number,
  ): Promise<DialResult> {
    if (signal?.aborted === true || this.#disposed) return aborted;
    const { address, port } = endpoint;
    const request: NativeDial = {
      ...{ cluster: clusterName, address, port, connectTimeoutMs: Math.max(0, Math.ceil(connectTimeoutMs)), alpn },
      ...(keepAliveMs === undefined ? {} : { keepAliveMs: Math.ceil(keepAliveMs) }),
      tls: { ...tls, trustDomain: tls.trustDomain ?? '' },
    };
    let begun: { readonly number: number; readonly address: string };
    try {
      begun = JSON.parse(this.#addon.dial(this.#engine, JSON.stringify(request)));
    } catch (error) {
      return { ok: false, failure: 'connect', reason: toMeshError(error).message };
    }
    this.#enter(begun.address, endpoint);
    const { number, address: place } = begun;
    const onAbort = () => this.#cancel(number);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await new Promise((resolve) => this.#pending.set(number, { place, resolve }));
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #cancel(number: number): void {
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    this.#pending.delete(number);
    this.#addon.cancelDial(this.#engine, number);
    this.#settle(pending, aborted);
  }

  #settle({ place, resolve }: Pending, result: DialResult): void {
    this.#leave(place);
    resolve(result);
  }

  #enter(place: string, endpoint: EndpointState): void {
    const known = this.#places.get(place);
    if (known === undefined) this.#places.set(place, { endpoint, open: 1 });
    else known.open += 1;
  }

  #leave(place: string): void {
    const known = this.#places.get(place);
    if (known === undefined) return;
    known.open -= 1;
    if (known.open === 0) this.#places.delete(place);
  }
}
