import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { MeshError } from '../../core/errors.ts';

/** A port that nobody has now: Envoy binds it a moment later. MeshError PORT_TAKEN when there is none. */
export async function freePort(address: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, address, resolve)).catch((cause: Error) => {
    throw new MeshError('PORT_TAKEN', `no port is free on ${address}: ${cause.message}`, { cause });
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
