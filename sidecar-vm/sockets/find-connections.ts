import type { SocketRow } from '../../core/os/index.ts';
import { isLoopback } from './loopback.ts';

/** What to look for. */
export interface WatchedPort {
  readonly address: string;
  readonly port: number;
  /** Connections that end here, at this machine; else those that programs of this machine have with it. */
  readonly inbound: boolean;
}

/** One connection, or what is left of it. */
export interface FoundConnection {
  /** The other end's address; of a program on this machine the one that it dialled from. */
  readonly address: string;
  /** The program's socket where it runs on this machine; its inode is never 0. */
  readonly local?: SocketRow;
  /** False: over, but not long ago. */
  readonly open: boolean;
}

export interface Found {
  readonly connections: readonly FoundConnection[];
  /** Socket of whoever listens there. Absent: nobody does. */
  readonly listener?: SocketRow;
}

/** The connections of one port. Pure; the order is that of the rows. */
export function findConnections(rows: readonly SocketRow[], watched: WatchedPort): Found {
  return watched.inbound ? findInbound(rows, watched) : findOutbound(rows, watched);
}

function findInbound(rows: readonly SocketRow[], { address, port }: WatchedPort): Found {
  const listeners = rows.filter((row) => row.state === 'listening' && row.localPort === port);
  const exact = listeners.find((row) => row.localAddress === address);
  const listener = exact ?? listeners.find((row) => isWildcard(row.localAddress));
  // Where each address has a listener of its own, each has callers of its own; what nobody listens for any more counts as the app's.
  const others = new Set(listeners.map((row) => row.localAddress));
  const isMine = (row: SocketRow) => row.localAddress === address || (exact === undefined && !others.has(row.localAddress));
  const dialled = new Map(rows.map((row) => [`${row.localAddress}:${row.localPort}>${row.remoteAddress}:${row.remotePort}`, row]));
  const connections = rows
    .filter((row) => row.localPort === port && (row.state === 'open' || row.state === 'closed') && isMine(row))
    .flatMap((row): FoundConnection[] => {
      const open = row.state === 'open';
      const local = dialled.get(`${row.remoteAddress}:${row.remotePort}>${row.localAddress}:${row.localPort}`);
      if (local !== undefined && local.inode !== 0) return [{ address: row.remoteAddress, local, open }];
      // A program of this machine that has let go of its end calls nobody any more, whatever the app does with its own.
      if (local !== undefined || isLoopback(row.remoteAddress) || row.remoteAddress === row.localAddress) return [];
      return [{ address: row.remoteAddress, open }];
    });
  return { connections, ...(listener === undefined ? {} : { listener }) };
}

function findOutbound(rows: readonly SocketRow[], { address, port }: WatchedPort): Found {
  const connections = rows
    .filter((row) => row.remoteAddress === address && row.remotePort === port && row.inode !== 0 && row.state !== 'listening')
    .map((row): FoundConnection => ({ address: row.localAddress, local: row, open: row.state !== 'closed' }));
  return { connections };
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
