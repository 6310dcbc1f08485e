import { pino } from 'pino';
import type { Log } from '../core/log.ts';

/** JSON lines on standard error, synchronous: the last words of a process that ends matter most. */
export function createAgentLog(instance: string): Log {
  return pino(
    {
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name: string) => ({ level: name }) },
      // Whatever a field of these names would hold, it is not for logs.
      redact: ['token', 'secret', 'key', 'proof', '*.token', '*.secret', '*.key'],
      level: 'info',
      base: { component: 'agent', instance },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
