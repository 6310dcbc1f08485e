import { lookup } from 'node:dns/promises';

/** Every IP of a host name, as the machine's resolver says (hosts file included). Rejects when it cannot be had. */
export async function resolveHost(hostname: string): Promise<readonly string[]> {
  const found = await lookup(hostname, { all: true, verbatim: true });
  return found.map((entry) => entry.address);
}
