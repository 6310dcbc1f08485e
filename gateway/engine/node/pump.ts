import type { Duplex } from 'node:stream';

export interface PumpOptions {
  /** Read from each side before the pump began, and owed to the other. */
  readonly fromDownstream?: Buffer | undefined;
  readonly fromUpstream?: Buffer | undefined;
  /** Its end was read already. */
  readonly downstreamEnded: boolean;
  /** Called with each move; for idle deadlines and byte counts, so it must be cheap. */
  readonly onBytes: (direction: 'up' | 'down', length: number) => void;
  /** One side has sent its end; the other direction goes on. */
  readonly onHalfClosed: () => void;
}

/** Which side broke the connection off; `none`: both directions ended in order. */
export type PumpEnd = { readonly broken: 'none' | 'downstream' | 'upstream'; readonly detail: string };

/**
 * Moves bytes both ways until both directions have ended or one side breaks. An end is passed on as an end, for its direction
 * alone; a break is passed on as a break (`abort`), so that nobody takes a cut stream for a whole one. Holds back each reader
 * while the other's writer is full. Both streams must allow half-open and be paused.
 */
export function pump(downstream: Duplex, upstream: Duplex, abort: (stream: Duplex) => void, options: PumpOptions): Promise<PumpEnd> {
  return new Promise((resolve) => {
    let open = 2;
    let settled = false;
    const settle = (end: PumpEnd) => {
      if (settled) return;
      settled = true;
      if (end.broken === 'downstream') abort(upstream);
      if (end.broken === 'upstream') abort(downstream);
      resolve(end);
    };
    const watchBreak = (stream: Duplex, broken: 'downstream' | 'upstream') => {
      stream.on('error', (error) => settle({ broken, detail: describe(error) }));
      stream.on('close', () => settle({ broken, detail: 'closed before its end' }));
    };
    const oneWay = (from: Duplex, to: Duplex, direction: 'up' | 'down', owed: Buffer | undefined) => {
      const move = (chunk: Buffer) => {
        options.onBytes(direction, chunk.length);
        if (!to.write(chunk)) from.pause();
      };
      const passEnd = () => {
        to.end(() => {
          open -= 1;
          if (open === 0) settle({ broken: 'none', detail: '' });
        });
        options.onHalfClosed();
      };
      to.on('drain', () => from.resume());
      if (from === downstream && options.downstreamEnded) return passEnd();
      from.on('end', passEnd);
      if (owed !== undefined && owed.length > 0) move(owed);
      from.on('data', move);
      if (!to.writableNeedDrain) from.resume();
    };
    watchBreak(downstream, 'downstream');
    watchBreak(upstream, 'upstream');
    oneWay(downstream, upstream, 'up', options.fromDownstream);
    oneWay(upstream, downstream, 'down', options.fromUpstream);
    if (downstream.destroyed) settle({ broken: 'downstream', detail: 'closed before its end' });
    else if (upstream.destroyed) settle({ broken: 'upstream', detail: 'closed before its end' });
  });
}

function describe(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
