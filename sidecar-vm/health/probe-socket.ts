import { connect, type Socket } from 'node:net';
import { type ProxyProtocol, proxyHeader } from '../../core/proxy-protocol.ts';

export interface ProbeTarget {
  readonly host: string;
  readonly port: number;
  /** What connections to the app begin with; of a check they say that nobody has called. */
  readonly proxyProtocol?: ProxyProtocol | undefined;
}

export function probeSocket({ host, port, proxyProtocol }: ProbeTarget): Socket {
  const socket = connect(port, host);
  if (proxyProtocol !== undefined) socket.write(proxyHeader(proxyProtocol, undefined));
  return socket;
}
