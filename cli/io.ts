/** Everything a command touches outside the API, so that tests can hold it. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** All of standard input; rejects when it is longer than `mostBytes`, 64 KiB unless said. */
  input(mostBytes?: number): Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Whether standard output is a terminal. */
  readonly interactive: boolean;
}

export type OutputFormat = 'json' | 'text';

/** The one way results leave: the value as JSON, or its text. */
export function emit(io: Io, format: OutputFormat, value: unknown, text: string): void {
  io.out(format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : text.endsWith('\n') ? text : `${text}\n`);
}

/** What a long-running command prints once it serves: one line, so that whoever started it can wait for it and learn its ports. */
export function emitReady(io: Io, where: object): void {
  io.out(`${JSON.stringify({ ready: true, ...where })}\n`);
}
