import { MeshError } from '../errors.ts';
import { addressBytes, addressText } from './addresses.ts';
import type { TcpEnd, TcpPair } from './contract.ts';
import { type SocketOwner, socketOwner } from './socket-diag.ts';
import { readTable } from './socket-table.ts';

/**
 * The user id of the local program that holds the other end of an accepted TCP connection; `pair` is that end's view, so its `local` is
 * what we see as remote. Undefined: nobody of this network namespace, or nobody any more. A socket that its program has closed reads as
 * root's in the kernel's tables, so for such a one 0 is no answer.
 *
 * Asks sock_diag, and where the kernel does not answer reads /proc/net/tcp, which takes time in proportion to its length. MeshError
 * UNSUPPORTED when there is neither.
 */
export async function connectingUid(
  pair: TcpPair,
  ask: (pair: TcpPair) => SocketOwner | undefined = socketOwner,
): Promise<number | undefined> {
  let owner: SocketOwner | undefined;
  try {
    owner = ask(pair);
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== 'UNSUPPORTED') throw error;
    owner = await fromTable(pair, error);
  }
  return owner === undefined || (owner.inode === 0 && owner.uid === 0) ? undefined : owner.uid;
}

async function fromTable(pair: TcpPair, cause: MeshError): Promise<SocketOwner | undefined> {
  const reading = await readTable(new Set([pair.local.port]));
  if ('fault' in reading) throw new MeshError('UNSUPPORTED', `${cause.message}; ${reading.fault}`, { cause });
  const [local, remote] = [textOf(pair.local), textOf(pair.remote)];
  return reading.rows.find(
    (row) => `${row.localAddress} ${row.localPort}` === local && `${row.remoteAddress} ${row.remotePort}` === remote,
  );
}

function textOf({ address, port }: TcpEnd): string {
  const bytes = addressBytes(address);
  return `${bytes === undefined ? address : addressText(bytes)} ${port}`;
}
