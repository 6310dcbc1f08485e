import { connect, type Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';
import { toMeshError } from '../../../core/errors.ts';
import { proxyHeader } from '../../../core/proxy-protocol.ts';
import type { OutsideTls } from '../../../core/traffic/index.ts';
import type { Deadlines, Timed } from '../../deadlines.ts';
import type { EndpointState, UpstreamTls } from '../../state/types.ts';
import type { DialRequest, DialResult, EngineOptions, EngineTables } from '../contract.ts';
import type { OutsideContexts } from './outside-contexts.ts';
import { originateOutside } from './outside-tls.ts';
import type { TlsContexts } from './tls-contexts.ts';
import { originateTls } from './tls-ends.ts';
import { shortageOf } from './troubles.ts';

/** Idle connections to machines that have vanished end some 10 s after this. */
export const keepAliveAfterMs = 15_000;

export interface DialerOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly contexts: TlsContexts;
  readonly outside: OutsideContexts;
  readonly handshakeTimeoutMs: number;
  readonly onDial: ((endpoint: EndpointState, socket: Socket) => void) | undefined;
  readonly onPeer: EngineOptions['onPeer'];
  readonly openTunnel: EngineOptions['openTunnel'];
  readonly onTrouble: EngineOptions['onTrouble'];
}

/** TCP to one endpoint, then mTLS where it has `tls`, or the TLS that its cluster asks for outside the mesh. Every failure is a result. The stream comes back paused. */
export async function dialEndpoint(request: DialRequest, tables: EngineTables, options: DialerOptions): Promise<DialResult> {
  const { endpoint, signal } = request;
  if (isAborted(signal)) return { ok: false, failure: 'aborted', reason: 'aborted' };
  if (endpoint.tunnel !== undefined) return throughTunnel(endpoint, options);
  const { traffic, proxyProtocol } = tables.clusters.get(request.clusterName) ?? {};
  const socket = connect({
    host: endpoint.address,
    port: endpoint.port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: traffic?.connections?.tcpKeepalive?.timeMs ?? keepAliveAfterMs,
  });
  options.onDial?.(endpoint, socket);
  const limit = new DialDeadline(options, socket, request.connectTimeoutMs);
  const onAbort = () => socket.destroy();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const refused = await connected(socket);
    if (isAborted(signal)) return { ok: false, failure: 'aborted', reason: 'aborted' };
    if (refused !== undefined) return notConnected(refused, limit.expired, options);
    if (proxyProtocol !== undefined) socket.write(proxyHeader(proxyProtocol, endpoint.caller));
    const outside = endpoint.tls === undefined ? traffic?.tls : undefined;
    if (endpoint.tls === undefined && outside === undefined) return { ok: true, socket, alpn: '' };
    limit.restart(options.handshakeTimeoutMs);
    const end = await secured(socket, request, tables, options, outside);
    if (end.ok) return end;
    if (isAborted(signal)) return { ok: false, failure: 'aborted', reason: 'aborted' };
    return { ok: false, failure: 'tls', reason: limit.expired ? 'handshake timeout' : end.reason };
  } finally {
    signal?.removeEventListener('abort', onAbort);
    options.deadlines.forget(limit);
  }
}

/** There at once: whether anybody answers shows in the first byte. A tunnel has its own way to find out that its far end is gone. */
function throughTunnel(endpoint: EndpointState, { openTunnel }: DialerOptions): DialResult {
  const stream = openTunnel?.(endpoint);
  if (stream === undefined) return { ok: false, failure: 'connect', reason: 'no tunnel of it is held here' };
  return { ok: true, socket: stream, alpn: '' };
}

async function secured(
  socket: Socket,
  { endpoint, alpn = [] }: DialRequest,
  tables: EngineTables,
  { contexts, outside, clock, onPeer }: DialerOptions,
  by: OutsideTls | undefined,
): Promise<Extract<DialResult, { ok: true }> | { readonly ok: false; readonly reason: string }> {
  if (endpoint.tls !== undefined) {
    const stranger = strangerFault(endpoint.tls, tables);
    if (stranger !== undefined) {
      socket.destroy();
      return { ok: false, reason: stranger };
    }
    const context = contexts.get(tables.svid, tables.trust);
    return originateTls(socket, endpoint.tls, {
      context,
      trust: tables.trust,
      now: () => clock.now(),
      alpn,
      ...(onPeer === undefined ? {} : { onPeer }),
    });
  }
  if (by === undefined) return { ok: true, socket, alpn: '' };
  try {
    return await originateOutside(socket, by, await outside.get(by), alpn);
  } catch (error) {
    socket.destroy();
    return { ok: false, reason: toMeshError(error).message };
  }
}

/** Why nobody of its trust domain can be verified here; undefined: somebody can, or it is of the mesh's own. */
function strangerFault({ trustDomain = '' }: UpstreamTls, { trust }: EngineTables): string | undefined {
  if (trustDomain === '' || trust.others?.some((other) => other.trustDomain === trustDomain) === true) return undefined;
  return `no bundle of the trust domain ${trustDomain} is known here: name it in a FederatedTrustDomain, and see isthmus federation list`;
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** A shortage here says nothing of the endpoint. */
function notConnected(refused: NodeJS.ErrnoException, expired: boolean, { onTrouble }: DialerOptions): DialResult {
  const shortage = shortageOf(refused);
  if (shortage === undefined) return { ok: false, failure: 'connect', reason: expired ? 'connect timeout' : refused.message };
  onTrouble?.(shortage, refused.message);
  return { ok: false, failure: 'shortage', reason: refused.message };
}

/** Undefined when connected, and then paused; else why not. */
export function connected(socket: Socket): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    let reason: NodeJS.ErrnoException = new Error('closed while connecting');
    socket.on('error', (error) => {
      reason = error;
    });
    const onClose = () => resolve(reason);
    socket.once('close', onClose);
    socket.once('connect', () => {
      socket.off('close', onClose);
      socket.pause();
      resolve(undefined);
    });
  });
}

class DialDeadline implements Timed {
  readonly #options: DialerOptions;
  readonly #socket: Socket;
  deadline: number;
  expired = false;

  constructor(options: DialerOptions, socket: Socket, limitMs: number) {
    this.#options = options;
    this.#socket = socket;
    this.deadline = options.clock.monotonic() + limitMs;
    options.deadlines.watch(this);
  }

  restart(limitMs: number): void {
    this.deadline = this.#options.clock.monotonic() + limitMs;
  }

  expire(): void {
    this.expired = true;
    this.#socket.destroy();
  }
}
