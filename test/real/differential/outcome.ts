import { createHash, type Hash } from 'node:crypto';

/** What a case saw, as plain data: equal data is an equal outcome. */
export type Outcome = null | boolean | number | string | readonly Outcome[] | { readonly [key: string]: Outcome };

/** One thing that happens between a caller and a backend, whatever carries it. */
export interface Case<Backend> {
  readonly name: string;
  /** Sets the backend's behaviour, plays the caller, and says what both saw. */
  run(stage: Stage<Backend>): Promise<Outcome>;
}

export interface Stage<Backend> {
  /** Of 127.0.0.1; leads to the backend. */
  readonly port: number;
  readonly backend: Backend;
}

/** Counts and hashes a stream, so that megabytes compare as one line. */
export class Digest {
  readonly #hash: Hash = createHash('sha256');
  bytes = 0;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
  }

  /** Once. */
  get text(): string {
    return `${this.bytes} bytes, sha256 ${this.#hash.digest('hex').slice(0, 16)}`;
  }
}

/** Bytes of which no two stretches are alike, the same at every call. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 0x9e3779b9;
  for (let at = 0; at + 4 <= length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

const caseLimitMs = 15_000;

/** The outcome, or what stopped the case: both compare. */
export async function outcomeOf<B>({ run }: Case<B>, stage: Stage<B>): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve({ threw: `no end in ${caseLimitMs} ms` }), caseLimitMs);
  });
  const ended = run(stage).catch((error: unknown) => ({ threw: error instanceof Error ? error.message : String(error) }));
  try {
    return await Promise.race([ended, late]);
  } finally {
    clearTimeout(timer);
  }
}
