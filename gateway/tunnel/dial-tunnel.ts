import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { mtlsClientOptions, type Svid, type TrustBundle } from '../../core/identity/index.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { TunnelTarget } from './contract.ts';
import { readReply, sendGreeting, type TunnelHello, tunnelAlpn, tunnelSni } from './greeting.ts';

export interface DialTunnelRequest {
  readonly target: TunnelTarget;
  readonly address: string;
  readonly hello: TunnelHello;
  readonly svid: Svid;
  readonly trust: TrustBundle;
  /** Of the whole: TCP, handshake, greeting. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export type DialledTunnel = { readonly ok: true; readonly connection: TLSSocket } | { readonly ok: false; readonly reason: string };

/** mTLS to one address of a gateway, and its word that it takes the tunnel. Never rejects; the connection comes back paused. */
export async function dialTunnel(request: DialTunnelRequest): Promise<DialledTunnel> {
  const { target, address, svid, trust, clock, timeoutMs, signal } = request;
  const { uriSans, clusterSan } = target.tls;
  const transport = connectTcp({ host: address, port: target.port, noDelay: true });
  const secure = connectTls({
    socket: transport,
    ...mtlsClientOptions(svid, trust, { sni: tunnelSni, uriSans, clusterSan, alpn: [tunnelAlpn] }, () => clock.now()),
  });
  let reason = '';
  const note = (error: Error) => {
    reason ||= error.message;
  };
  transport.on('error', note);
  secure.on('error', note);
  const over = new AbortController();
  const onAbort = () => secure.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  void clock.sleep(timeoutMs, over.signal).then(
    () => {
      reason ||= `no tunnel within ${timeoutMs} ms`;
      transport.destroy();
      secure.destroy();
    },
    (error: unknown) => {
      if (!isAborted(error)) throw error;
    },
  );
  try {
    if (signal.aborted) secure.destroy();
    const refused = await greeted(secure, request.hello);
    if (refused === undefined) return { ok: true, connection: secure };
    secure.destroy();
    transport.destroy();
    return { ok: false, reason: reason || refused };
  } finally {
    over.abort();
    signal.removeEventListener('abort', onAbort);
  }
}

/** Undefined when the gateway takes it. */
async function greeted(secure: TLSSocket, hello: TunnelHello): Promise<string | undefined> {
  const connected = await new Promise<boolean>((resolve) => {
    secure.once('secureConnect', () => resolve(true));
    secure.once('close', () => resolve(false));
  });
  if (!connected) return 'closed before the handshake was done';
  if (secure.alpnProtocol !== tunnelAlpn) return 'it does not speak of tunnels';
  sendGreeting(secure, hello);
  const reply = await readReply(secure);
  if (reply === undefined) return 'closed before it took the tunnel';
  return reply.ok ? undefined : `refused: ${reply.reason}`;
}
