import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import type { Svid, TrustBundle } from '../../core/identity/index.ts';
import { type Backoff, exponentialBackoff } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { chooseGateways } from './choose-gateways.ts';
import type { TunnelStatus, TunnelTarget } from './contract.ts';
import { dialTunnel } from './dial-tunnel.ts';
import { Mux, type MuxLimits } from './mux.ts';
import type { TunnelStream } from './stream.ts';

export interface TunnelKeeperOptions {
  /** NAMESPACE~SERVICE-ACCOUNT~INSTANCE, as registered. */
  readonly instance: string;
  /** base64url. */
  readonly secret: string;
  /** Gateways to keep tunnels to, of each cluster. */
  readonly count: number;
  readonly targets: () => readonly TunnelTarget[];
  readonly svid: () => Svid;
  readonly trust: () => TrustBundle;
  /** A caller's connection. */
  readonly onStream: (stream: TunnelStream) => void;
  /** After each change of `status`. */
  readonly onChange: () => void;
  readonly limits: MuxLimits;
  readonly timing: TunnelTiming;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

export interface TunnelTiming {
  /** Of one attempt. Default 5,000 ms. */
  readonly dialMs: number;
  /** Between attempts at one gateway, full jitter. Defaults 250 ms and 15 s. */
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** A tunnel that was given up ends after this, whatever runs in it. Default 60 s. */
  readonly leaveMs: number;
  /** A renewed SVID is shown to all gateways within this, spread at random. Default 30 s. */
  readonly renewMs: number;
}

export const defaultTunnelTiming: TunnelTiming = {
  dialMs: 5_000,
  backoffBaseMs: 250,
  backoffMaxMs: 15_000,
  leaveMs: 60_000,
  renewMs: 30_000,
};

interface Link {
  readonly target: TunnelTarget;
  readonly address: string;
  readonly serial: string;
  readonly since: number;
  readonly mux: Mux;
}

/** One gateway as this side knows it. */
interface Place {
  readonly backoff: Backoff;
  /** Monotonic ms; before that it is not tried. */
  notBefore: number;
  attempts: number;
  dialling: boolean;
  lastError: string | undefined;
}

/**
 * Keeps tunnels to gateways for an instance that nobody can dial: to as many as it is told to, make before break. One that is lost is
 * begun anew after a random wait, and meanwhile the next gateway takes its place.
 */
export class TunnelKeeper {
  readonly #options: TunnelKeeperOptions;
  readonly #links = new Set<Link>();
  readonly #leaving = new Set<Link>();
  readonly #places = new Map<string, Place>();
  readonly #dials = new Set<Promise<void>>();
  #wake: () => void = () => {};
  #draining = false;
  #renewAt: number | undefined;

  constructor(options: TunnelKeeperOptions) {
    this.#options = options;
  }

  /** Until `signal` aborts; everything it began is closed then. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const turn = new AbortController();
      const nudged = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const stop = () => turn.abort();
      signal.addEventListener('abort', stop, { once: true });
      const waitMs = this.#look(signal);
      await Promise.race([nudged, clock.sleep(waitMs, turn.signal).catch(() => undefined)]);
      signal.removeEventListener('abort', stop);
      turn.abort();
    }
    for (const { mux } of [...this.#links, ...this.#leaving]) mux.end('the instance ends');
    await Promise.all(this.#dials);
  }

  /** Gateways, or the SVID, may have changed. */
  nudge(): void {
    this.#wake();
  }

  /** Nothing new comes through; each tunnel ends with its last stream. */
  drain(): void {
    this.#draining = true;
    for (const link of [...this.#links]) this.#giveUp(link);
    this.#wake();
  }

  get streams(): number {
    return [...this.#links, ...this.#leaving].reduce((sum, { mux }) => sum + mux.streams, 0);
  }

  status(): readonly TunnelStatus[] {
    const show = (state: 'open' | 'leaving') => (link: Link) => {
      const { target, address, since, mux } = link;
      return { peer: target.name, address, state, since, streams: mux.streams };
    };
    const linked = new Set([...this.#links].map(({ target }) => target.name));
    const others = [...this.#places].filter(
      ([name, { dialling, lastError }]) => !linked.has(name) && (dialling || lastError !== undefined),
    );
    return [
      ...[...this.#links].map(show('open')),
      ...[...this.#leaving].map(show('leaving')),
      ...others.map(([peer, { dialling, lastError }]) => ({
        peer,
        address: '',
        state: dialling ? ('connecting' as const) : ('waiting' as const),
        streams: 0,
        ...(lastError === undefined ? {} : { lastError }),
      })),
    ];
  }

  /** Does what is to be done now; returns ms until there may be more to do. */
  #look(signal: AbortSignal): number {
    if (this.#draining || signal.aborted) return 60_000;
    const { clock, count, instance } = this.#options;
    const now = clock.monotonic();
    const targets = this.#options.targets();
    const known = new Set(targets.map(({ name }) => name));
    for (const name of this.#places.keys()) if (!known.has(name)) this.#places.delete(name);
    const held = new Set([...this.#places].filter(([name, { notBefore }]) => notBefore > now && !this.#linkTo(name)).map(([name]) => name));
    const wanted = chooseGateways(targets, instance, count, held);
    const renew = this.#toRenew(now);
    for (const target of wanted) {
      const link = this.#linkTo(target.name);
      if (link === undefined || link === renew) this.#begin(target, signal);
    }
    this.#leaveUnwanted(targets, wanted);
    const next = [...this.#places.values()].map(({ notBefore }) => notBefore).filter((at) => at > now);
    if (this.#renewAt !== undefined) next.push(this.#renewAt);
    return Math.max(10, Math.min(30_000, ...next.map((at) => at - now)));
  }

  /** Make before break: what drains or is not wanted goes once as many others stand in its cluster as are wanted. */
  #leaveUnwanted(targets: readonly TunnelTarget[], wanted: readonly TunnelTarget[]): void {
    const names = new Set(wanted.map(({ name }) => name));
    const known = new Set(targets.map(({ name }) => name));
    for (const link of [...this.#links]) {
      if (names.has(link.target.name)) continue;
      const ready = wanted.every(({ name }) => this.#linkTo(name) !== undefined);
      // One that the control plane does not name any more may have lost its stream to it alone: it goes when others stand.
      if (ready && (wanted.length > 0 || !known.has(link.target.name))) this.#giveUp(link);
    }
  }

  /** One at a time, so that a renewal never closes two ways at once. */
  #toRenew(now: number): Link | undefined {
    const { serial } = this.#options.svid();
    const old = [...this.#links].find((link) => link.serial !== serial);
    if (old === undefined) {
      this.#renewAt = undefined;
      return undefined;
    }
    this.#renewAt ??= now + this.#options.random() * this.#options.timing.renewMs;
    return this.#renewAt <= now ? old : undefined;
  }

  #linkTo(name: string): Link | undefined {
    const links = [...this.#links].filter((link) => link.target.name === name);
    return links.at(-1);
  }

  #placeOf(name: string): Place {
    let place = this.#places.get(name);
    if (place === undefined) {
      const { timing, random } = this.#options;
      const backoff = exponentialBackoff({ baseMs: timing.backoffBaseMs, maxMs: timing.backoffMaxMs, random });
      place = { backoff, notBefore: 0, attempts: 0, dialling: false, lastError: undefined };
      this.#places.set(name, place);
    }
    return place;
  }

  #begin(target: TunnelTarget, signal: AbortSignal): void {
    const place = this.#placeOf(target.name);
    if (place.dialling || place.notBefore > this.#options.clock.monotonic()) return;
    place.dialling = true;
    const dial = this.#dial(target, place, signal).finally(() => {
      place.dialling = false;
      this.#dials.delete(dial);
      this.#changed();
    });
    this.#dials.add(dial);
  }

  async #dial(target: TunnelTarget, place: Place, signal: AbortSignal): Promise<void> {
    const { clock, instance, log, secret, timing, trust } = this.#options;
    const svid = this.#options.svid();
    const address = target.addresses[place.attempts++ % target.addresses.length] ?? '';
    const hello = { instance, secret };
    const dialled = await dialTunnel({ target, address, hello, svid, trust: trust(), timeoutMs: timing.dialMs, clock, signal });
    if (!dialled.ok) {
      if (place.lastError !== dialled.reason) log.warn({ gateway: target.name, address, reason: dialled.reason }, 'no tunnel');
      place.lastError = dialled.reason;
      place.notBefore = clock.monotonic() + place.backoff.next();
      return;
    }
    if (signal.aborted || this.#draining) return void dialled.connection.destroy();
    place.lastError = undefined;
    place.backoff.reset();
    const older = this.#linkTo(target.name);
    this.#link(target, address, svid.serial, dialled.connection, place);
    if (older !== undefined) this.#giveUp(older);
  }

  #link(target: TunnelTarget, address: string, serial: string, connection: TLSSocket, place: Place): void {
    const { clock, limits, log, onStream, random, timing } = this.#options;
    const link: Link = {
      target,
      address,
      serial,
      since: clock.now(),
      mux: new Mux(connection, {
        side: 'takes',
        limits,
        clock,
        onStream,
        onLeaving: () => {
          place.lastError = 'the gateway drains';
          place.notBefore = clock.monotonic() + timing.backoffBaseMs * (4 + 4 * random());
          // It stands until others do: streams that run in it go on.
          this.#giveUp(link);
          this.#changed();
        },
        onEnd: (reason) => {
          this.#leaving.delete(link);
          if (this.#links.delete(link)) {
            place.lastError = reason;
            // Whoever lost a gateway at the same moment does not come back to it at the same moment.
            place.notBefore = clock.monotonic() + place.backoff.next();
            log.warn({ gateway: target.name, reason }, 'tunnel lost');
          }
          this.#changed();
        },
      }),
    };
    this.#links.add(link);
    log.info({ gateway: target.name, address }, 'tunnel stands');
  }

  #giveUp(link: Link): void {
    if (!this.#links.delete(link)) return;
    this.#leaving.add(link);
    link.mux.leave(this.#options.timing.leaveMs);
  }

  #changed(): void {
    this.#options.onChange();
    this.#wake();
  }
}
