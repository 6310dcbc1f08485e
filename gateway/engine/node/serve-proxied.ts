import type { Socket } from 'node:net';
import type { ConnectionEnds, EngineListenerSpec } from '../contract.ts';
import { sourceAllowed } from '../source-allowed.ts';
import { abortStream } from './abort-stream.ts';
import type { Connection } from './connection.ts';
import type { EngineParts } from './engine-parts.ts';
import { type ProxyHeaderFault, parseProxyHeader } from './parse-proxy-header.ts';

type Accepts = NonNullable<EngineListenerSpec['acceptProxy']>;

/**
 * A connection that a proxy has passed on: first it says who called, and then that is whose connection it is. `named` is told so, and says why
 * there is no place for more of that source. Resolves with false where it is over, and the connection says why.
 */
export async function takeProxied(
  connection: Connection,
  { trusted }: Accepts,
  named: (address: string) => string | undefined,
  { options }: EngineParts,
): Promise<boolean> {
  const { socket, source, listener } = connection;
  const refuse = (reason: string, detail: string, flag: 'DPE' | 'UO' | 'DC' | undefined) => {
    connection.fault(reason, detail, ...(flag === undefined ? [] : [flag]));
    abortStream(socket);
    return false;
  };
  if (!sourceAllowed(trusted, source.address)) {
    return refuse('proxy-untrusted', `${source.address} is in none of the CIDRs whose word counts on ${listener}`, undefined);
  }
  connection.due(options.clock.monotonic() + options.limits.helloTimeoutMs, 'proxy-header-timeout');
  const read = await readProxyHeader(socket);
  if (!read.ok) {
    if (read.fault === 'proxy-header-incomplete') return refuse(read.fault, 'it ended before its PROXY header did', 'DC');
    return refuse(read.fault, `no PROXY header of ${source.address} could be read`, 'DPE');
  }
  connection.due(Number.POSITIVE_INFINITY, '');
  if (read.ends !== undefined) connection.isOf(read.ends);
  const full = named(connection.source.address);
  return full === undefined || refuse(full, 'refused after its PROXY header', 'UO');
}

type Read =
  | { readonly ok: true; readonly ends?: ConnectionEnds }
  | { readonly ok: false; readonly fault: ProxyHeaderFault | 'proxy-header-incomplete' };

/** Leaves the socket paused, with what follows the header. The caller holds the deadline: it destroys the socket. */
function readProxyHeader(socket: Socket): Promise<Read> {
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    const finish = (read: Read) => {
      socket.off('data', onData);
      socket.off('end', onGone);
      socket.off('close', onGone);
      socket.pause();
      resolve(read);
    };
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const outcome = parseProxyHeader(bytes);
      if (outcome.kind === 'fault') finish({ ok: false, fault: outcome.fault });
      if (outcome.kind !== 'header') return;
      finish({ ok: true, ...(outcome.ends === undefined ? {} : { ends: outcome.ends }) });
      if (bytes.length > outcome.length) socket.unshift(bytes.subarray(outcome.length));
    };
    const onGone = () => finish({ ok: false, fault: 'proxy-header-incomplete' });
    socket.on('data', onData);
    socket.on('end', onGone);
    socket.on('close', onGone);
    socket.resume();
  });
}
