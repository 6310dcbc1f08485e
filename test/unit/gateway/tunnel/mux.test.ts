import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import type { Clock } from '../../../../core/clock.ts';
import { systemClock } from '../../../../core/system-clock.ts';
import { encodeFrame, frameFlag, frameType, initialWindow } from '../../../../gateway/tunnel/frames.ts';
import { defaultMuxLimits, Mux, type MuxLimits } from '../../../../gateway/tunnel/mux.ts';
import { cutLink } from '../../../support/cut-link.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { until } from '../../../support/until.ts';

interface Pair {
  readonly holder: Mux;
  readonly far: Mux;
  readonly arrived: Duplex[];
  readonly ends: string[];
  readonly leaving: string[];
  cut(): void;
  close(): void;
}

function pair(limits: Partial<MuxLimits> = {}, clock: Clock = systemClock): Pair {
  const { left, right, cut } = cutLink([65_536]);
  const arrived: Duplex[] = [];
  const ends: string[] = [];
  const leaving: string[] = [];
  const common = { limits: { ...defaultMuxLimits, ...limits }, clock };
  const holder = new Mux(left, {
    ...common,
    side: 'opens',
    onLeaving: () => leaving.push('far'),
    onEnd: (reason) => ends.push(`holder: ${reason}`),
  });
  const far = new Mux(right, {
    ...common,
    side: 'takes',
    onStream: (stream) => arrived.push(stream),
    onLeaving: () => leaving.push('holder'),
    onEnd: (reason) => ends.push(`far: ${reason}`),
  });
  return {
    ...{ holder, far, arrived, ends, leaving, cut },
    close: () => {
      holder.end('test');
      far.end('test');
    },
  };
}

/** To its end, and without destroying it there, as iterating would. */
function textOf(stream: Duplex): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    stream.once('end', () => resolve(text));
    stream.once('error', reject);
  });
}

describe('a tunnel', () => {
  it('passes an end of one direction on as that, while the other goes on', async () => {
    const { holder, arrived, close } = pair();
    const stream = holder.openStream();
    assert.ok(stream !== undefined);
    stream.end('ask');
    await until('it comes about', () => arrived.length === 1);
    const [server] = arrived;
    assert.ok(server !== undefined);
    assert.equal(await textOf(server), 'ask');
    server.end('answer');
    assert.equal(await textOf(stream), 'answer');
    await until('it comes about', () => holder.streams === 0);
    close();
  });

  it('holds a sender back at the window of a reader who does not read, and no other stream with it', async () => {
    const { holder, arrived, close } = pair();
    const [slow, quick] = [holder.openStream(), holder.openStream()];
    assert.ok(slow !== undefined && quick !== undefined);
    let written = 0;
    const fill = () => {
      while (!slow.writableNeedDrain && written < 10_000_000) {
        slow.write(Buffer.alloc(16_384), () => {});
        written += 16_384;
      }
    };
    slow.on('drain', fill);
    fill();
    await until('it comes about', () => arrived.length === 2);
    quick.end('through');
    const [, server] = arrived;
    assert.ok(server !== undefined);
    assert.equal(await textOf(server), 'through');
    assert.ok(written <= initialWindow + 200_000, `${written} bytes were taken for a reader who reads nothing`);
    close();
  });

  it('ends with an error on every stream when the link is cut', async () => {
    const { holder, arrived, ends, cut } = pair();
    const stream = holder.openStream();
    assert.ok(stream !== undefined);
    stream.write('x');
    await until('it comes about', () => arrived.length === 1);
    const broken = new Promise<string | undefined>((resolve) => {
      stream.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    cut();
    assert.equal(await broken, 'ECONNRESET');
    await until('it comes about', () => ends.length === 2);
    assert.equal(holder.openStream(), undefined);
  });

  it('notices at both ends that the other one says nothing any more', async () => {
    const { left, right } = cutLink([65_536]);
    const ends: string[] = [];
    const limits = { ...defaultMuxLimits, pingAfterMs: 20, deadAfterMs: 100 };
    // Nobody at the other end of either.
    new Mux(left, { side: 'opens', limits, clock: systemClock, onEnd: (reason) => ends.push(reason) });
    right.on('data', () => {});
    await until('it comes about', () => ends.length === 1);
    assert.match(ends[0] ?? '', /nothing was heard/);
  });

  it('lives through silence of the application', async () => {
    const clock = new ManualClock();
    const { holder, ends, close } = pair({ pingAfterMs: 10, deadAfterMs: 200 }, clock);
    while (clock.monotonic() < 1_000) {
      clock.advance(10);
      // What is asked and answered then needs a turn or two of the loop.
      for (let turn = 0; turn < 3; turn++) await new Promise((next) => setImmediate(next));
    }
    assert.equal(ends.length, 0);
    assert.ok(holder.open);
    close();
  });

  it('leaves: nothing new begins, what runs goes on, and the last stream ends it', async () => {
    const { holder, far, arrived, ends, leaving } = pair();
    const stream = holder.openStream();
    assert.ok(stream !== undefined);
    stream.write('a');
    await until('it comes about', () => arrived.length === 1);
    far.leave();
    await until('it comes about', () => leaving.includes('far'));
    assert.equal(holder.openStream(), undefined);
    assert.equal(ends.length, 0);
    const [server] = arrived;
    server?.resume();
    server?.end('b');
    stream.end();
    stream.resume();
    await until('it comes about', () => ends.length === 2);
    assert.ok(ends.includes('far: left'));
  });

  it('resets streams beyond the limit, and keeps the others', async () => {
    const { holder, far, arrived, close } = pair({ maxStreams: 2 });
    assert.ok(holder.openStream() !== undefined && holder.openStream() !== undefined);
    assert.equal(holder.openStream(), undefined);
    await until('it comes about', () => arrived.length === 2);
    assert.equal(far.streams, 2);
    close();
  });

  const frame = (type: number, flags: number, stream: number, length: number, payload?: Buffer) =>
    encodeFrame({ type, flags, stream, length }, payload);
  const wrong: readonly (readonly [string, Buffer])[] = [
    ['another version', Buffer.concat([Buffer.from([9]), Buffer.alloc(11)])],
    ['an unknown type', frame(7, 0, 1, 0)],
    ['data of a stream that was never begun', frame(frameType.data, 0, 5, 0)],
    ['a stream with an even number', frame(frameType.window, frameFlag.syn, 2, 0)],
    ['a stream begun twice', Buffer.concat([frame(frameType.window, frameFlag.syn, 1, 0), frame(frameType.window, frameFlag.syn, 1, 0)])],
    [
      'more than the window',
      Buffer.concat([
        frame(frameType.window, frameFlag.syn, 1, 0),
        frame(frameType.data, 0, 1, initialWindow + 1, Buffer.alloc(initialWindow + 1)),
      ]),
    ],
    ['a fault that the other side found', frame(frameType.goAway, 0, 0, 1)],
  ];
  for (const [what, bytes] of wrong) {
    it(`ends for ${what}`, async () => {
      const { left, right } = cutLink([65_536]);
      const ends: string[] = [];
      new Mux(right, {
        side: 'takes',
        limits: defaultMuxLimits,
        clock: systemClock,
        onStream: () => {},
        onEnd: (reason) => ends.push(reason),
      });
      left.resume();
      left.write(bytes);
      await until('it comes about', () => ends.length === 1);
    });
  }

  it('takes no stream from the side that takes them', async () => {
    const { left, right } = cutLink([65_536]);
    const ends: string[] = [];
    new Mux(right, { side: 'opens', limits: defaultMuxLimits, clock: systemClock, onEnd: (reason) => ends.push(reason) });
    left.resume();
    left.write(frame(frameType.window, frameFlag.syn, 1, 0));
    await until('it comes about', () => ends.length === 1);
  });
});
