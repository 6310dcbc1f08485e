import { writeSync } from 'node:fs';
import { pino } from 'pino';
import type { Log } from '../../core/log.ts';
import { LineWriter } from './line-writer.ts';

/** JSON lines on standard error, synchronous: the last words of a process that ends matter most. */
export function createGatewayLog(instance: string): Log {
  return pino(
    {
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name: string) => ({ level: name }) },
      // Whatever a field of these names would hold, it is not for logs.
      redact: ['token', 'secret', 'key', 'proof', '*.token', '*.secret', '*.key'],
      level: 'info',
      base: { component: 'gateway', instance },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

/**
 * JSON lines on standard output, one for each request or connection; see LineWriter. Entries are of fixed fields, none of which
 * holds a secret, so nothing is looked for in them.
 */
export function createAccessLog(instance: string): (entry: Readonly<Record<string, unknown>>) => void {
  const lines = new LineWriter((bytes) => writeSync(1, bytes));
  process.once('exit', () => lines.flush());
  const same = `"component":"access","instance":${JSON.stringify(instance)},`;
  let at = 0;
  let time = '';
  return (entry) => {
    const now = Date.now();
    if (now !== at) {
      at = now;
      time = new Date(now).toISOString();
    }
    lines.add(`{"level":"info","time":"${time}",${same}${JSON.stringify(entry).slice(1)}`);
  };
}
