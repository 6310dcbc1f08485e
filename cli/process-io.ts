import type { Io } from './io.ts';

/** What a command has to do with, of this process. Call once. */
export function processIo(): Io {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      // Who asks twice does not want to wait for the end of a drain.
      if (interrupt.signal.aborted) process.exit(130);
      interrupt.abort();
    });
  }
  // A reader that has seen enough (head, less) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    input: readInput,
    env: process.env,
    signal: interrupt.signal,
    interactive: process.stdout.isTTY === true,
  };
}

async function readInput(mostBytes = 65_536): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > mostBytes) throw new Error(`standard input is longer than ${mostBytes / 1024} KiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
