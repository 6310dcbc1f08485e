import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { claimPort } from '../../support/claim-port.ts';

/** How a TCP connection attempt ended. `timeout` is what a firewall that drops looks like, `refused` one that rejects. */
export type DialOutcome = 'open' | 'refused' | 'unreachable' | 'timeout';

export function dial(host: string, port: number, timeoutMs: number): Promise<DialOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (outcome: DialOutcome): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end('timeout'), timeoutMs);
    socket.once('connect', () => end('open'));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end(
        error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET' ? 'refused' : error.code === 'ETIMEDOUT' ? 'timeout' : 'unreachable',
      );
    });
  });
}

/** Below the kernel's ephemeral range, so that no outgoing connection takes the port between the pick and the server's bind. */
const FIRST_PORT = 21_000;
const LAST_PORT = 29_999;
const given = new Set<number>();

/** A port that is free for TCP and UDP on all addresses now, never given before by this process. */
export async function pickFreePort(random: () => number = Math.random): Promise<number> {
  for (let tries = 0; tries < 500; tries++) {
    const port = FIRST_PORT + Math.floor(random() * (LAST_PORT - FIRST_PORT + 1));
    if (given.has(port)) continue;
    given.add(port);
    if ((await tcpFree(port)) && (await udpFree(port)) && (await claimPort(port))) return port;
  }
  throw new Error(`no free port found between ${FIRST_PORT} and ${LAST_PORT}`);
}

function tcpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function udpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
