import { createHash, timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { parseCertificate } from '../../core/pki/index.ts';
import type { PeerIdentity } from '../engine/contract.ts';
import { type TunnelOffer, type TunnelStatus, tunnelKey } from './contract.ts';
import { readHello, sendGreeting, type TunnelReply } from './greeting.ts';
import { Mux, type MuxLimits } from './mux.ts';

export interface TunnelHubOptions {
  /** Who may begin one, by `tunnelKey`, as it is now; and which serials are denied. */
  readonly offers: () => ReadonlyMap<string, TunnelOffer>;
  readonly deniedSerials: () => readonly string[];
  readonly limits: TunnelHubLimits;
  readonly clock: Clock;
  readonly log: Log;
}

export interface TunnelHubLimits {
  /** Default 4,096. */
  readonly maxTunnels: number;
  /** Of one SPIFFE id: a fleet under one identity is large. Default 1,024. */
  readonly maxPerIdentity: number;
  /** Of one instance: a second one while it replaces the first. Default 2. */
  readonly maxPerInstance: number;
  /** From the handshake to a whole greeting. Default 5,000 ms. */
  readonly greetingMs: number;
  readonly mux: MuxLimits;
}

/** A connection whose mTLS is done: who is there is proven. */
export interface TunnelConnection {
  readonly socket: Duplex;
  readonly peer: PeerIdentity;
  readonly address: string;
}

interface Held {
  readonly key: string;
  readonly spiffeId: string;
  readonly serial: string;
  /** Unix ms: of the certificate that it was begun with. */
  readonly notAfter: number;
  readonly secretSha256: string;
  readonly address: string;
  readonly since: number;
  readonly mux: Mux;
}

/**
 * The tunnels that one gateway holds. Who begins one proves an identity by mTLS and an instance by its secret; both are compared with what
 * the control plane says of that instance. A tunnel lasts for as long as that says so and its certificate holds. What is led through it is
 * decided by whoever opens streams, never by the far end.
 */
export class TunnelHub {
  readonly #options: TunnelHubOptions;
  readonly #held = new Set<Held>();
  readonly #listeners = new Set<() => void>();
  /** Greeting, not yet held. */
  #greeting = 0;
  #draining = false;
  readonly refused = new Map<string, number>();

  constructor(options: TunnelHubOptions) {
    this.#options = options;
  }

  /** Owns the connection from here on. Never rejects. */
  async take({ socket, peer, address }: TunnelConnection): Promise<void> {
    const { clock, limits, log } = this.#options;
    socket.on('error', () => {});
    this.#greeting += 1;
    const over = new AbortController();
    const late = clock.sleep(limits.greetingMs, over.signal).then(
      () => void socket.destroy(),
      (error: unknown) => {
        if (!isAborted(error)) throw error;
      },
    );
    const hello = await readHello(socket);
    over.abort();
    await late;
    this.#greeting -= 1;
    if (hello === undefined || socket.destroyed) return void socket.destroy();
    const key = tunnelKey({ clusterSan: peer.cluster, instance: hello.instance });
    const refusal = this.#refusal(key, hello.secret, peer);
    if (refusal !== undefined) {
      this.refused.set(refusal, (this.refused.get(refusal) ?? 0) + 1);
      log.warn({ peer: key, spiffeId: peer.spiffeId, address, reason: refusal }, 'tunnel refused');
      sendGreeting(socket, { ok: false, reason: refusal } satisfies TunnelReply);
      socket.end(() => socket.destroy());
      return;
    }
    sendGreeting(socket, { ok: true } satisfies TunnelReply);
    this.#hold(key, socket, peer, address);
  }

  /** A stream to that instance: through the newest of its tunnels. Undefined: none is held, or none takes more. */
  open(key: string): Duplex | undefined {
    const of = [...this.#held].filter((each) => each.key === key && each.mux.open);
    return of.at(-1)?.mux.openStream();
  }

  has(key: string): boolean {
    for (const each of this.#held) if (each.key === key && each.mux.open) return true;
    return false;
  }

  /** Called after each change of what `has` says. Returns its undoing. */
  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** After each change of `offers`: what is no longer offered ends now. Also ends what has outlived its certificate. */
  reconsider(): void {
    const { clock, deniedSerials, offers } = this.#options;
    const denied = new Set(deniedSerials());
    for (const held of [...this.#held]) {
      const offer = offers().get(held.key);
      if (offer === undefined || offer.secretSha256 !== held.secretSha256 || offer.uriSan !== held.spiffeId) {
        held.mux.end('it is not registered any more');
      } else if (denied.has(held.serial)) held.mux.end('its certificate was denied');
      else if (clock.now() >= held.notAfter) held.mux.end('its certificate has ended');
    }
  }

  /** Certificates end without anybody saying so. Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(1_000, signal).catch(() => undefined);
      if (!signal.aborted) this.reconsider();
    }
  }

  status(): readonly TunnelStatus[] {
    return [...this.#held].map(({ key, address, since, mux }) => ({
      peer: key,
      address,
      state: mux.open ? ('open' as const) : ('leaving' as const),
      since,
      streams: mux.streams,
    }));
  }

  /** Nothing new: the far ends go elsewhere, and each tunnel ends with its last stream. */
  drain(): void {
    this.#draining = true;
    for (const { mux } of [...this.#held]) mux.leave();
    this.#tell();
  }

  dispose(): void {
    this.#draining = true;
    for (const { mux } of [...this.#held]) mux.end('the gateway ends');
  }

  #refusal(key: string, secret: string, peer: PeerIdentity): string | undefined {
    const { limits, offers } = this.#options;
    if (this.#draining) return 'draining';
    const offer = offers().get(key);
    const said = createHash('sha256').update(secret).digest();
    const expected = Buffer.from(offer?.secretSha256 ?? '', 'hex');
    const isSame = expected.length === said.length && timingSafeEqual(expected, said);
    // One word for all of it: who may not, learns nothing of who may.
    if (offer === undefined || !isSame || offer.uriSan !== peer.spiffeId || !peer.dnsSans.includes(offer.clusterSan)) return 'unknown';
    if (this.#held.size + this.#greeting >= limits.maxTunnels) return 'full';
    if ([...this.#held].filter((each) => each.spiffeId === peer.spiffeId).length >= limits.maxPerIdentity) return 'full';
    return undefined;
  }

  #hold(key: string, socket: Duplex, peer: PeerIdentity, address: string): void {
    const { clock, limits, log, offers } = this.#options;
    const older = [...this.#held].filter((each) => each.key === key);
    // The far end begins a new one only when it has lost the old one, or is about to give it up.
    for (const each of older.slice(0, Math.max(0, older.length - limits.maxPerInstance + 1))) each.mux.end('a newer one took its place');
    const leaf = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    const certificate = leaf === undefined ? undefined : parseCertificate(leaf.raw);
    const held: Held = {
      key,
      spiffeId: peer.spiffeId,
      serial: certificate?.ok === true ? certificate.value.serial : '',
      notAfter: certificate?.ok === true ? certificate.value.notAfter : Number.POSITIVE_INFINITY,
      secretSha256: offers().get(key)?.secretSha256 ?? '',
      address,
      since: clock.now(),
      mux: new Mux(socket, {
        side: 'opens',
        limits: limits.mux,
        clock,
        onLeaving: () => {
          held.mux.leave();
          this.#tell();
        },
        onEnd: (reason) => {
          this.#held.delete(held);
          log.info({ peer: key, reason }, 'tunnel ended');
          this.#tell();
        },
      }),
    };
    this.#held.add(held);
    log.info({ peer: key, address }, 'tunnel begun');
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
