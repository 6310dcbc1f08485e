import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';
import { redact } from './redact.ts';

export interface LoggerOptions {
  readonly level: LevelWithSilent;
  /** On every line: the part of the mesh that speaks. */
  readonly base: Readonly<Record<string, string>>;
  /** Default: standard error, so that standard output stays for results. */
  readonly destination?: DestinationStream;
}

/** JSON lines with `time` in RFC 3339 and the level by name; secrets are redacted by field name and by form. */
export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      base: options.base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (name) => ({ level: name }),
        log: (fields) => redact({ ...fields, ...errorFields(fields) }) as Record<string, unknown>,
      },
      // Errors have become plain fields already.
      serializers: { err: (value: unknown) => value, error: (value: unknown) => value },
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

/** Errors as fields: pino's own serializer would print causes unredacted. */
function errorFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (value instanceof Error ? [[name, describe(value)]] : [])));
}

function describe(error: Error, depth = 0): Record<string, unknown> {
  const { code } = error as { code?: unknown };
  return {
    message: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(error.cause instanceof Error && depth < 4 ? { cause: describe(error.cause, depth + 1) } : {}),
    ...(code === undefined || code === 'INTERNAL' ? { stack: error.stack } : {}),
  };
}
