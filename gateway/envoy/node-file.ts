import { join } from 'node:path';
import { z } from 'zod';
import { readIfThere, writeOwnerOnly } from '../../core/identity/index.ts';
import { accept, type Checked, reject } from '../../core/validate.ts';

/** What the agent and the gateway keep for Envoys of their node, in a folder of the state directory (0700). */
export function envoyFiles(stateDir: string) {
  const dir = join(stateDir, 'envoy');
  return {
    dir,
    node: join(dir, 'node.json'),
    bootstrap: join(dir, 'bootstrap.json'),
    /** Secrets, and listeners where the agent makes them. */
    socket: join(dir, 'xds.sock'),
    admin: join(dir, 'admin.sock'),
    process: join(dir, 'process.json'),
  };
}

const service = z.object({
  namespace: z.string(),
  name: z.string(),
  port: z.number(),
  protocol: z.enum(['tcp', 'http', 'http2', 'grpc', 'tls']),
  address: z.string(),
  target: z.number(),
});

const schema = z.object({
  version: z.literal(1),
  kind: z.enum(['agent', 'gateway']),
  identity: z.object({ trustDomain: z.string(), namespace: z.string(), serviceAccount: z.string() }),
  cluster: z.string(),
  instance: z.string(),
  network: z.string(),
  locality: z.string(),
  labels: z.record(z.string(), z.string()).optional(),
  controlAddresses: z.array(z.string()).min(1),
  inbound: z.object({ address: z.string(), port: z.number(), services: z.array(service), originate: z.string().optional() }),
});

/** What a running agent or gateway says of its node to `isthmus envoy bootstrap`. Holds no secret. */
export type EnvoyNode = z.output<typeof schema>;

/** Durable when it resolves. The folder must be there. */
export async function saveEnvoyNode(stateDir: string, node: EnvoyNode): Promise<void> {
  await writeOwnerOnly(envoyFiles(stateDir).node, `${JSON.stringify(node, null, 2)}\n`);
}

export async function loadEnvoyNode(stateDir: string): Promise<Checked<EnvoyNode>> {
  const path = envoyFiles(stateDir).node;
  const text = await readIfThere(path);
  if (text === undefined) {
    return reject([
      { path, message: 'is not there: start isthmus agent --proxy none (or isthmus gateway --proxy none) on this folder first' },
    ]);
  }
  try {
    return accept(schema.parse(JSON.parse(text)));
  } catch {
    return reject([{ path, message: 'is damaged: restart the agent or gateway that runs on this folder, which writes it anew' }]);
  }
}
