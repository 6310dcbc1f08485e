import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Timed } from '../../deadlines.ts';
import type { AuthzState, EndpointState } from '../../state/types.ts';
import type { ConnectionEnds, ConnectionReport, ConnectionSource, MeshEnd, PeerIdentity, ResponseFlag } from '../contract.ts';
import { abortStream } from './abort-stream.ts';

/** For `breakOff`: the peer's certificate was taken back. */
export const peerDenied = ['peer-denied', "the peer's certificate was revoked"] as const;

/** What is known of one accepted connection; becomes its report. Mutable, owned by the engine that accepted it. */
export class Connection implements Timed {
  readonly id: string;
  /** Whose rule it goes by. */
  listener: string;
  readonly socket: Socket;
  source: ConnectionSource;
  /** Where it was to go. */
  destination: ConnectionSource;
  readonly startedAt: number;
  /** Aborts what is under way for it: dials, handshakes. */
  readonly abort = new AbortController();
  deadline = Number.POSITIVE_INFINITY;
  slot: number | undefined;
  outcome: ConnectionReport['outcome'] = 'refused';
  sni = '';
  clusterName = '';
  peer: PeerIdentity | undefined;
  end: MeshEnd | undefined;
  /** The service port to which it came in the clear; absent: it did not, or to no service's end. */
  inTheClear: number | undefined;
  /** By which a byte stream was let in; absent: its requests are judged one by one, or nobody judges it. */
  authz: AuthzState | undefined;
  upstream: EndpointState | undefined;
  /** When anything moved last, monotonic ms. */
  movedAt: number;
  bytesReceived = 0;
  bytesSent = 0;
  attempts = 0;
  reason = '';
  detail = '';
  readonly flags = new Set<ResponseFlag>();
  readonly #streams = new Set<Duplex>();
  #onExpire = '';

  constructor(id: string, listener: string, socket: Socket, startedAt: number) {
    this.id = id;
    this.listener = listener;
    this.socket = socket;
    this.startedAt = startedAt;
    this.movedAt = startedAt;
    this.source = { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
    this.destination = { address: plainAddress(socket.localAddress), port: socket.localPort ?? 0 };
    this.owns(socket);
  }

  /** A proxy says whose it is. */
  isOf({ source, destination }: ConnectionEnds): void {
    this.source = source;
    this.destination = destination;
  }

  /** Streams that break when the connection is broken off. */
  owns(stream: Duplex): void {
    this.#streams.add(stream);
  }

  disowns(stream: Duplex): void {
    this.#streams.delete(stream);
  }

  /** Bytes that wait in it for somebody to take them. */
  get kept(): number {
    let kept = 0;
    for (const { readableLength, writableLength } of this.#streams) kept += readableLength + writableLength;
    return kept;
  }

  /** `reason`: the word under which it counts when the time is up. */
  due(deadline: number, reason: string): void {
    this.deadline = deadline;
    this.#onExpire = reason;
  }

  expire(): void {
    this.breakOff(this.#onExpire, 'ran out of time');
  }

  /** The first fault is the cause; what it sets off is not. */
  fault(reason: string, detail: string, ...flags: readonly ResponseFlag[]): void {
    if (this.reason !== '') return;
    this.reason = reason;
    this.detail = detail;
    for (const flag of flags) this.flags.add(flag);
  }

  breakOff(reason: string, detail: string, ...flags: readonly ResponseFlag[]): void {
    this.fault(reason, detail, ...flags);
    this.deadline = Number.POSITIVE_INFINITY;
    this.abort.abort();
    for (const stream of this.#streams) abortStream(stream);
  }

  report(now: number): ConnectionReport {
    return {
      id: this.id,
      listener: this.listener,
      source: this.source,
      destination: this.destination,
      outcome: this.outcome,
      sni: this.sni,
      clusterName: this.clusterName,
      ...(this.peer === undefined ? {} : { peer: this.peer }),
      ...(this.end === undefined ? {} : { end: this.end }),
      ...(this.upstream === undefined ? {} : { upstream: this.upstream }),
      bytesReceived: this.bytesReceived,
      bytesSent: this.bytesSent,
      durationMs: now - this.startedAt,
      attempts: this.attempts,
      flags: [...this.flags],
      reason: this.reason,
      detail: this.detail,
    };
  }
}

/** IPv4 as itself where a dual-stack socket shows it mapped into IPv6. */
function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}
