import { MeshError } from '../../core/errors.ts';

/** An event can hold a whole job; a line that is longer than this is not read on. */
const longestLine = 16 * 1024 * 1024;

/**
 * The JSON values of a newline-delimited stream, as they come, however it was cut into chunks. Throws LIMIT_EXCEEDED and
 * PROTOCOL_ERROR; what stands after the last newline when the stream ends is half a value, and dropped.
 */
export async function* readLines(body: AsyncIterable<Uint8Array>, limit = longestLine): AsyncIterable<unknown> {
  const decoder = new TextDecoder();
  let pending: string[] = [];
  let size = 0;
  for await (const chunk of body) {
    const text = decoder.decode(chunk, { stream: true });
    const [head = '', ...lines] = text.split('\n');
    pending.push(head);
    size += head.length;
    for (const next of lines) {
      const line = pending.join('').trim();
      if (line !== '') yield parse(line);
      pending = [next];
      size = next.length;
    }
    if (size > limit) throw new MeshError('LIMIT_EXCEEDED', `Nomad: a line of its event stream is longer than ${limit} characters`);
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    const message = 'Nomad: a line of its event stream is no JSON: check that connection.url is its API';
    throw new MeshError('PROTOCOL_ERROR', message, { cause, retryable: true });
  }
}
