import { Registry } from 'prom-client';
import { type GatewayOptionsInput, parseGatewayOptions, startGateway } from '../../../gateway/main.ts';
import type { FromGateway } from './gateway-process.ts';

// A gateway alone in a process, the child of a test's, with which it ends. Its options are the first message.
process.once('disconnect', () => process.exit(0));
process.once('message', (message) => void serve(message as GatewayOptionsInput));

const tell = (message: FromGateway) => {
  if (process.connected) process.send?.(message);
};

async function serve(input: GatewayOptionsInput): Promise<void> {
  const parsed = parseGatewayOptions(input);
  if (!parsed.ok) throw new Error(parsed.violations.map(({ path, message }) => `${path} ${message}`).join('; '));
  const write = (fields: object, message: string) => tell({ line: message, fields: { ...fields } });
  const log = { debug() {}, info: write, warn: write, error: write };
  const gateway = await startGateway(parsed.value, { log, accessLog: () => {}, metrics: new Registry() }, new AbortController().signal);
  tell({ port: gateway.eastWest.port });
}
