import type { Readable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { fieldsIn, fieldsOf, textIn } from './fields.ts';

/** One line of a watch (Kubernetes API concepts, "Efficient detection of changes"). `object` is not looked into yet. */
export type WatchLine =
  | { readonly kind: 'put' | 'remove'; readonly object: unknown; readonly resourceVersion: string }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  | { readonly kind: 'error'; readonly status: unknown };

export interface LineLimits {
  /** Longest line, bytes. */
  readonly maxLineBytes: number;
  /** Longest silence, ms: a half-open connection says nothing for ever, a healthy one bookmarks about every minute. */
  readonly idleMs: number;
}

/**
 * The whole lines of a stream; a half line at its end is dropped, as it will be sent again. Time counts only while waiting for
 * the server, not while the caller is busy. Throws REGISTRY_UNREACHABLE on silence or a broken connection, PROTOCOL_ERROR
 * on a line that is too long. Destroys the stream however it ends.
 */
export async function* readLines(stream: Readable, limits: LineLimits, clock: Clock): AsyncGenerator<string> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer[] = [];
  let restBytes = 0;
  try {
    for (;;) {
      const chunk = await nextWithin(stream, chunks, limits.idleMs, clock);
      if (chunk === undefined) return;
      let start = 0;
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
        const line = Buffer.concat([...rest, chunk.subarray(start, end)]).toString('utf8');
        rest = [];
        restBytes = 0;
        start = end + 1;
        if (line.trim() !== '') yield line;
      }
      rest.push(chunk.subarray(start));
      restBytes += chunk.length - start;
      if (restBytes > limits.maxLineBytes)
        throw new MeshError('PROTOCOL_ERROR', `watch: a line is longer than ${limits.maxLineBytes} bytes`, { retryable: true });
    }
  } finally {
    stream.on('error', () => {});
    stream.destroy();
  }
}

async function nextWithin(stream: Readable, chunks: AsyncIterator<Buffer>, idleMs: number, clock: Clock): Promise<Buffer | undefined> {
  const timer = new AbortController();
  let silent = false;
  const watchdog = clock.sleep(idleMs, timer.signal).then(
    () => {
      silent = true;
      stream.destroy();
    },
    () => {},
  );
  try {
    const next = await chunks.next();
    if (next.done !== true) return next.value;
    if (silent) throw new Error('silent');
    return undefined;
  } catch (error) {
    const message = silent ? `watch: nothing for ${idleMs} ms, the connection is taken for dead` : 'watch: the connection broke';
    throw new MeshError('REGISTRY_UNREACHABLE', message, { retryable: true, cause: error });
  } finally {
    timer.abort();
    await watchdog;
  }
}

/** Throws PROTOCOL_ERROR for what is no watch event. */
export function parseWatchLine(line: string): WatchLine {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    throw new MeshError('PROTOCOL_ERROR', 'watch: a line is not JSON; check that no proxy changes the stream', { retryable: true });
  }
  const fields = fieldsOf(event);
  const type = textIn(fields, 'type');
  const object = fields['object'];
  if (type === 'ERROR') return { kind: 'error', status: object };
  const resourceVersion = textIn(fieldsIn(fieldsOf(object), 'metadata'), 'resourceVersion');
  if (resourceVersion === '')
    throw new MeshError('PROTOCOL_ERROR', `watch: a ${type.slice(0, 20) || 'nameless'} event has no resourceVersion`, { retryable: true });
  if (type === 'BOOKMARK') return { kind: 'bookmark', resourceVersion };
  if (type === 'ADDED' || type === 'MODIFIED') return { kind: 'put', object, resourceVersion };
  if (type === 'DELETED') return { kind: 'remove', object, resourceVersion };
  throw new MeshError('PROTOCOL_ERROR', `watch: unknown event type "${type.slice(0, 20)}"`, { retryable: true });
}
