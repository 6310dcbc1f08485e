import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../../core/system-clock.ts';
import { encodeFrame, FrameReader, frameType } from '../../../gateway/tunnel/frames.ts';
import { defaultMuxLimits, Mux } from '../../../gateway/tunnel/mux.ts';
import { cutLink } from '../../support/cut-link.ts';
import { until } from '../../support/until.ts';

/** What somebody read, and how it came to its end. */
interface Heard {
  readonly bytes: number;
  readonly hash: string;
  readonly end: 'end' | 'ECONNRESET' | 'closed';
}

function hear(stream: Duplex): Promise<Heard> {
  return new Promise((resolve) => {
    const hash = createHash('sha256');
    let bytes = 0;
    let end: Heard['end'] = 'closed';
    let finished = false;
    const finish = () => {
      if (finished) return;
      finished = true;
      resolve({ bytes, hash: hash.digest('hex'), end });
    };
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    stream.on('error', (error: NodeJS.ErrnoException) => {
      end = error.code === 'ECONNRESET' ? 'ECONNRESET' : 'closed';
    });
    stream.once('end', () => {
      end = 'end';
      finish();
    });
    stream.once('close', () => {
      if (end !== 'end') finish();
    });
  });
}

function contentOf(seed: number, length: number): Buffer {
  const out = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function write(stream: Duplex, bytes: Buffer, size: number, finish: boolean): Promise<void> {
  for (let at = 0; at < bytes.length && !stream.destroyed; at += size) {
    if (!stream.write(bytes.subarray(at, at + size))) {
      await new Promise<void>((resolve) => {
        stream.once('drain', resolve);
        stream.once('close', resolve);
      });
    }
  }
  if (finish) stream.end();
}

describe('tunnels', () => {
  it('read frames however their bytes are cut', () => {
    const frame = fc.record({
      stream: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      flags: fc.integer({ min: 0, max: 15 }),
      payload: fc.uint8Array({ maxLength: 200 }),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (frames, cuts) => {
        const bytes = Buffer.concat(
          frames.map(({ stream, flags, payload }) =>
            encodeFrame({ type: frameType.data, flags, stream, length: payload.length }, Buffer.from(payload)),
          ),
        );
        const seen: { stream: number; flags: number; payload: number[] }[] = [];
        let ended = 0;
        const reader = new FrameReader({
          onFrame: ({ stream, flags }) => void seen.push({ stream, flags, payload: [] }) as undefined,
          onPayload: (stream, piece) => {
            assert.equal(stream, seen.at(-1)?.stream);
            seen.at(-1)?.payload.push(...piece);
          },
          onPayloadEnd: () => {
            ended += 1;
          },
        });
        for (let at = 0, i = 0; at < bytes.length; i += 1) {
          const size = cuts[i % cuts.length] ?? 1;
          assert.equal(reader.push(bytes.subarray(at, at + size)), undefined);
          at += size;
        }
        assert.equal(ended, frames.length);
        assert.deepEqual(
          seen,
          frames.map(({ stream, flags, payload }) => ({ stream, flags, payload: [...payload] })),
        );
      }),
    );
  });

  it('never let garbage through as frames, and never throw', () => {
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (garbage) => {
        const { left, right } = cutLink([64]);
        const ended = new Promise<string>((resolve) => {
          const mux = new Mux(right, {
            side: 'takes',
            limits: defaultMuxLimits,
            clock: systemClock,
            onStream: (stream) => stream.destroy(),
            onEnd: resolve,
          });
          setTimeout(() => mux.end('enough'), 20);
        });
        left.write(Buffer.from(garbage));
        await ended;
      }),
      { numRuns: 30 },
    );
  });

  it('carry many streams at once, whole, in order, and each to its own end', async () => {
    const one = fc.record({
      seed: fc.integer(),
      up: fc.integer({ min: 0, max: 300_000 }),
      down: fc.integer({ min: 0, max: 300_000 }),
      chunk: fc.integer({ min: 500, max: 40_000 }),
      /** The caller ends its side before, or after, it has heard all. */
      order: fc.constantFrom('both', 'reset-by-caller', 'reset-by-server'),
    });
    const cuts = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 5 }), cuts, async (plans, sizes) => {
        const { left, right, cut } = cutLink(sizes.map((size) => size + 100));
        const served: Promise<Heard>[] = [];
        const taken = new Mux(right, {
          side: 'takes',
          limits: defaultMuxLimits,
          clock: systemClock,
          onStream: (stream) => {
            const plan = plans[served.length];
            if (plan === undefined) throw new Error('a stream too many');
            served.push(hear(stream));
            void write(stream, contentOf(plan.seed + 1, plan.down), plan.chunk, plan.order === 'both').then(() => {
              if (plan.order === 'reset-by-server') stream.destroy();
            });
          },
          onEnd: () => {},
        });
        const mux = new Mux(left, { side: 'opens', limits: defaultMuxLimits, clock: systemClock, onEnd: () => {} });
        const called = plans.map(async (plan) => {
          const stream = mux.openStream();
          assert.ok(stream !== undefined);
          const heard = hear(stream);
          void write(stream, contentOf(plan.seed, plan.up), plan.chunk, plan.order === 'both').then(() => {
            if (plan.order === 'reset-by-caller') stream.destroy();
          });
          return heard;
        });
        const heard = await Promise.all(called);
        await until('all streams to be taken', () => served.length === plans.length);
        const atServer = await Promise.all(served);
        plans.forEach((plan, i) => {
          const [caller, server] = [heard[i], atServer[i]];
          if (plan.order === 'both') {
            assert.deepEqual(caller, { bytes: plan.down, hash: hashOf(contentOf(plan.seed + 1, plan.down)), end: 'end' });
            assert.deepEqual(server, { bytes: plan.up, hash: hashOf(contentOf(plan.seed, plan.up)), end: 'end' });
          } else {
            // Broken off: nobody may take what came for all there is.
            const other = plan.order === 'reset-by-caller' ? server : caller;
            assert.equal(other?.end, 'ECONNRESET');
          }
        });
        // Who has heard the end may hear so a turn before the stream is let go of.
        await until('both sides to let go', () => mux.streams === 0 && taken.streams === 0);
        cut();
      }),
      { numRuns: 10 },
    );
  });
});
