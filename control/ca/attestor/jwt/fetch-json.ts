import { readFile } from 'node:fs/promises';
import { Agent } from 'undici';

const maxBytes = 1024 * 1024;
const timeoutMs = 5_000;

/** GET of a JSON document, on a connection of its own, without following redirects. Rejects with an Error that says what to check. `caFile`: read at each use. */
export async function fetchJson(url: string, caFile: string | undefined): Promise<unknown> {
  const ca = caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') };
  const agent = new Agent({ connections: 1, connect: { ...ca, timeout: timeoutMs } });
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    const { origin, pathname, search } = new URL(url);
    const request = { origin, path: pathname + search, method: 'GET', headers: { accept: 'application/json' }, signal: deadline.signal };
    const { statusCode, body } = await agent.request(request as Parameters<Agent['request']>[0]);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    if (statusCode !== 200) throw new Error(`it answered ${statusCode}`);
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } finally {
    clearTimeout(timer);
    await agent.destroy();
  }
}
