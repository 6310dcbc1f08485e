import { createReadStream } from 'node:fs';
import { parseRow, type SocketRow } from './socket-row.ts';

/** Beyond it the table is not read to its end: some 400,000 sockets. */
const maxBytes = 64 * 1024 * 1024;
const maxRows = 50_000;
const longestLine = 1_024;

export type TableReading = { readonly rows: readonly SocketRow[] } | { readonly fault: string };

/**
 * The rows of the socket tables in `folder` in which one of the ports is an end, read in pieces. A table that is not there (IPv6 switched off)
 * is empty, unless none is. Never rejects: what goes wrong is a fault.
 */
export async function readTable(
  ports: ReadonlySet<number>,
  folder = '/proc/self/net',
  platform: string = process.platform,
): Promise<TableReading> {
  if (platform !== 'linux') return { fault: `the socket table can be read on Linux alone, and this is ${platform}` };
  const rows = new Map<string, SocketRow>();
  const marks = [...ports].map((port) => `:${port.toString(16).toUpperCase().padStart(4, '0')} `);
  const keep = (line: string): boolean => {
    // Most lines are of others: they are not worth a parse.
    if (!marks.some((mark) => line.includes(mark))) return true;
    const row = parseRow(line);
    if (row === undefined || !(ports.has(row.localPort) || ports.has(row.remotePort))) return true;
    // A table that changes while it is read may give a row twice.
    rows.set(`${row.localAddress}:${row.localPort}>${row.remoteAddress}:${row.remotePort}`, row);
    return rows.size <= maxRows;
  };
  let missing = 0;
  for (const name of ['tcp', 'tcp6']) {
    try {
      const whole = await forEachLine(`${folder}/${name}`, keep);
      if (!whole) return { fault: `the socket table is too large: more than ${maxRows} connections of these ports, or ${maxBytes} bytes` };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        return { fault: `the socket table cannot be read: ${(error as Error).message}` };
      missing += 1;
    }
  }
  return missing === 2 ? { fault: `there is no socket table in ${folder}: is /proc mounted?` } : { rows: [...rows.values()] };
}

/** False: it was ended before its end. */
async function forEachLine(path: string, take: (line: string) => boolean): Promise<boolean> {
  let rest = '';
  let bytes = 0;
  // Leaving the loop closes the file.
  for await (const piece of createReadStream(path, { encoding: 'latin1', highWaterMark: 256 * 1024 }) as AsyncIterable<string>) {
    bytes += piece.length;
    if (bytes > maxBytes) return false;
    const lines = (rest + piece).split('\n');
    rest = (lines.pop() ?? '').slice(0, longestLine);
    for (const line of lines) if (!take(line)) return false;
  }
  return take(rest);
}
