import { z } from 'zod';

const port = z.number('must be a port').int('must be a port').min(1, 'must be 1-65535').max(65_535, 'must be 1-65535');

/** Section `capture` of the agent's options. What packets are led here is root's to say: `isthmus vm capture install`. */
export const captureOptions = z.strictObject({
  /** Of 127.0.0.1, where the packet filter leads connections to. Default 15001. */
  port: port.default(15_001),
  /** Canonical host of a mesh service → addresses by which programs here have it, beside its loopback address. Default none. */
  addresses: z
    .record(z.string().regex(/^[a-z0-9.-]+$/, 'must be a host in lower case'), z.array(z.ipv4('must be an IPv4 address')).max(64))
    .default({}),
});
