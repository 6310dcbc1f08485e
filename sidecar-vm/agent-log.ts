import { pino } from 'pino';
import type { Log } from '../core/log.ts';

const shared = {
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (name: string) => ({ level: name }) },
  // Whatever a field of these names would hold, it is not for logs.
  redact: ['token', 'secret', 'key', 'proof', '*.token', '*.secret', '*.key'],
};

/** JSON lines on standard error, synchronous: the last words of a process that ends matter most. */
export function createAgentLog(instance: string): Log {
  return pino({ ...shared, level: 'info', base: { component: 'agent', instance } }, pino.destination({ dest: 2, sync: true }));
}

/** JSON lines on standard output, one for each request or connection. */
export function createAccessLog(instance: string): (entry: Readonly<Record<string, unknown>>) => void {
  const logger = pino({ ...shared, base: { component: 'access', instance } }, pino.destination({ dest: 1, sync: true }));
  return (entry) => logger.info(entry);
}
