import { Agent } from 'undici';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { childController } from '../../core/lifecycle.ts';

const mostBytes = 262_144;
const mostKeys = 64;

/**
 * An issuer's public keys (RFC 7517) as JSON, without what is none: a secret that somebody published by mistake must not become one
 * that tokens are verified by. Follows no redirect, and goes through no proxy. Rejects with MeshError, whose message names the origin
 * alone: REGISTRY_UNREACHABLE, PROTOCOL_ERROR, LIMIT_EXCEEDED, DEADLINE_EXCEEDED or ABORTED.
 */
export async function fetchKeys(uri: string, timeoutMs: number, clock: Clock, signal: AbortSignal): Promise<string> {
  const { controller, release } = childController(signal);
  const timer = new AbortController();
  let late = false;
  clock.sleep(timeoutMs, timer.signal).then(
    () => {
      late = true;
      controller.abort();
    },
    () => undefined,
  );
  try {
    return publicKeys(await read(uri, controller.signal), uri);
  } catch (error) {
    if (error instanceof MeshError) throw error;
    if (signal.aborted) throw new MeshError('ABORTED', 'the control plane stopped asking', { cause: error });
    const { origin } = new URL(uri);
    if (late) throw new MeshError('DEADLINE_EXCEEDED', `${origin} did not send its keys within ${timeoutMs} ms`, { cause: error });
    const code = (error as { code?: unknown } | undefined)?.code;
    throw new MeshError('REGISTRY_UNREACHABLE', `${origin} cannot be asked for its keys${typeof code === 'string' ? ` (${code})` : ''}`, {
      cause: error,
    });
  } finally {
    timer.abort();
    release();
  }
}

async function read(uri: string, signal: AbortSignal): Promise<string> {
  const { origin, pathname, search } = new URL(uri);
  const agent = new Agent({ connections: 1, pipelining: 0, headersTimeout: 0, bodyTimeout: 0 });
  try {
    const answer = await agent.request({
      origin,
      path: `${pathname}${search}`,
      method: 'GET',
      headers: { accept: 'application/json' },
      signal,
    });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > mostBytes) throw new MeshError('LIMIT_EXCEEDED', `${origin} sends more than ${mostBytes} bytes of keys`);
      chunks.push(chunk);
    }
    if (answer.statusCode !== 200) throw new MeshError('PROTOCOL_ERROR', `${origin} answers ${answer.statusCode} when asked for its keys`);
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    await agent.destroy();
  }
}

function publicKeys(text: string, uri: string): string {
  const { origin } = new URL(uri);
  const keys = listed(text).filter(isPublic).slice(0, mostKeys);
  if (keys.length === 0) throw new MeshError('PROTOCOL_ERROR', `${origin} sends no public key (RFC 7517)`);
  return JSON.stringify({ keys: keys.map(({ kty, crv, x, y, n, e, kid, alg, use }) => ({ kty, crv, x, y, n, e, kid, alg, use })) });
}

type Jwk = Readonly<Record<string, unknown>>;

function listed(text: string): readonly unknown[] {
  try {
    const { keys } = JSON.parse(text) as { keys?: unknown };
    return Array.isArray(keys) ? keys : [];
  } catch {
    return [];
  }
}

function isPublic(key: unknown): key is Jwk {
  return typeof key === 'object' && key !== null && ['RSA', 'EC', 'OKP'].includes(String((key as Jwk)['kty'])) && !('d' in key);
}
