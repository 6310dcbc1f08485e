import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface BuildLock {
  release(): Promise<void>;
}

/**
 * Waits until no other process of this machine holds `key`, then holds it. `onWait` is called once when another holder is
 * found. The lock is a listener on an abstract Unix address (unix(7), Linux only): the kernel drops it with its process, so
 * a killed builder never leaves a lock behind.
 */
export async function holdBuildLock(key: string, onWait: () => void): Promise<BuildLock> {
  const address = `\0isthmus-servers-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
  let told = false;
  for (;;) {
    const server = await tryListen(address);
    if (server !== undefined) return { release: () => close(server) };
    if (!told) onWait();
    told = true;
    await delay(500);
  }
}

function tryListen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
