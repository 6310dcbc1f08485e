import type { Readable } from 'node:stream';
import type { Log } from '../../core/log.ts';

/** For `--log-format`: level, logger and the message with its control characters escaped, so that an entry is one line. */
export const envoyLogFormat = '%l\t%n\t%j';

/** Longer lines are cut: a log is not to hold a program's memory. */
const longestLine = 16 * 1024;

export interface EnvoyLogLine {
  readonly level: keyof Log;
  readonly logger: string;
  readonly message: string;
}

const levels: Readonly<Record<string, keyof Log>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  warn: 'warn',
  error: 'error',
  critical: 'error',
};

/** Pure. What has not Envoy's form (a stack trace, the loader's words) is an error. Undefined: nothing was said. */
export function parseEnvoyLog(line: string): EnvoyLogLine | undefined {
  if (line.trim() === '') return undefined;
  const [, name = '', logger = '', message = ''] = /^([a-z]+)\t([^\t]*)\t(.*)$/.exec(line) ?? [];
  const level = levels[name];
  if (level === undefined) return { level: 'error', logger: '', message: line };
  return { level, logger, message: unescapeJson(message) };
}

/** Envoy's own log into ours, a line at a time; and its access log, which is JSON where we wrote its format. */
export function relayLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(0, longestLine);
    for (const line of lines) onLine(line.slice(0, longestLine));
  });
  stream.once('end', () => onLine(rest));
  // A pipe that breaks ends with its process, which is seen there.
  stream.on('error', () => undefined);
}

/** An access-log entry: the object, or the line as it is. Undefined for an empty line. */
export function parseAccessLog(line: string): Readonly<Record<string, unknown>> | undefined {
  if (line.trim() === '') return undefined;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Somebody's own format.
  }
  return { text: line };
}

function unescapeJson(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}
