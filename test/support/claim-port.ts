import { createServer } from 'node:net';

/**
 * Whether this process, and no other test of this network namespace, may use the port from now on: that nobody listens there yet says nothing
 * of a test which has just been given it. What is claimed is an abstract Unix socket, which goes with the process, however that ends. Linux alone.
 */
export async function claimPort(port: number): Promise<boolean> {
  return (await holdPort(port)) !== undefined;
}

/** A claim that can be given back. Undefined: somebody else has it. */
export function holdPort(port: number): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve) => {
    const claim = createServer().once('error', () => resolve(undefined));
    claim.listen(`\0isthmus-test-port-${port}`, () => {
      claim.unref();
      resolve(() => new Promise((released) => claim.close(() => released())));
    });
  });
}
